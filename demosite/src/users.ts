/** The two people who can log in at the embedded OP. */

export interface User {
  /** What is typed into the login page, and the `sub` of their tokens. */
  name: string
  password: string
  /** All they have; the OP gives out what the granted scopes cover (OIDC Core 5.4). */
  claims: Record<string, unknown>
}

/** Names outside ASCII on purpose: whatever they break should break here first. */
export const users: readonly User[] = [
  {
    name: 'alice',
    password: 'wonderland',
    claims: {
      name: 'Alice Ångström',
      given_name: 'Alice',
      family_name: 'Ångström',
      middle_name: 'Zoë',
      nickname: 'Ally',
      preferred_username: 'alice',
      profile: 'https://example.com/people/alice',
      picture: 'https://example.com/people/alice.png',
      website: 'https://example.com/alice',
      gender: 'female',
      birthdate: '1992-11-04',
      zoneinfo: 'Europe/Stockholm',
      locale: 'sv-SE',
      updated_at: 1_767_225_600,
      email: 'alice@example.com',
      email_verified: true,
      phone_number: '+46 8 123 456 78',
      phone_number_verified: true,
      address: {
        formatted: 'Götgatan 12\n118 46 Stockholm\nSverige',
        street_address: 'Götgatan 12',
        locality: 'Stockholm',
        postal_code: '118 46',
        country: 'Sverige',
      },
    },
  },
  {
    name: 'bob',
    password: 'builder',
    claims: {
      name: 'Боб Строитель',
      given_name: 'Боб',
      family_name: 'Строитель',
      middle_name: 'Łukasz',
      nickname: 'Bobby',
      preferred_username: 'bob',
      profile: 'https://example.com/people/bob',
      picture: 'https://example.com/people/bob.png',
      website: 'https://example.com/bob',
      gender: 'male',
      birthdate: '1987-03-21',
      zoneinfo: 'Europe/Sofia',
      locale: 'bg-BG',
      updated_at: 1_767_225_600,
      email: 'bob@example.com',
      email_verified: false,
      phone_number: '+359 2 123 4567',
      phone_number_verified: false,
      address: {
        formatted: 'ул. Шипка 6\n1504 София\nБългария',
        street_address: 'ул. Шипка 6',
        locality: 'София',
        postal_code: '1504',
        country: 'България',
      },
    },
  },
]
