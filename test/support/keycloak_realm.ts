/** A realm at a real Keycloak: one End-User, who may register clients, and the keys that sign. */
import type { Keycloak } from './keycloak.js'

export const alice = { username: 'alice', password: 'correct horse' }

interface Component {
  id: string
  name: string
  parentId: string
  providerId: string
  providerType: string
  subType?: string
  config: Record<string, string[]>
}

const POLICY = 'org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy'
const KEYS = 'org.keycloak.keys.KeyProvider'

export class KeycloakRealm {
  readonly #keycloak: Keycloak
  readonly name: string

  private constructor(keycloak: Keycloak, name: string) {
    this.#keycloak = keycloak
    this.name = name
  }

  static async create(keycloak: Keycloak, name: string): Promise<KeycloakRealm> {
    await keycloak.admin('POST', '', {
      realm: name,
      enabled: true,
      users: [
        {
          username: alice.username,
          enabled: true,
          email: 'alice@site.example',
          emailVerified: true,
          firstName: 'Alice',
          lastName: 'Liddell',
          credentials: [{ type: 'password', value: alice.password, temporary: false }],
        },
      ],
    })
    return new KeycloakRealm(keycloak, name)
  }

  get issuer(): string {
    return `${this.#keycloak.origin}/realms/${this.name}`
  }

  /** The client as its administration shows it, undefined when there is none. */
  async client(client_id: string): Promise<Record<string, unknown> | undefined> {
    const query = new URLSearchParams({ clientId: client_id })
    const [client] = await this.admin<Record<string, unknown>[]>('GET', `/clients?${query}`)
    return client
  }

  /** Makes a client, or changes it. */
  async putClient(client: { clientId: string; [name: string]: unknown }): Promise<void> {
    const there = await this.client(client.clientId)
    if (there) await this.admin('PUT', `/clients/${there['id']}`, { ...there, ...client })
    else await this.admin('POST', '/clients', client)
  }

  /** What lets one client be registered (RFC 7591 3, initial access token). */
  async initialAccessToken(): Promise<string> {
    const made = await this.admin<{ token: string }>('POST', '/clients-initial-access', {
      count: 1,
      expiration: 600,
    })
    return made.token
  }

  /** Lets strangers of a host register clients. */
  async trustHost(host: string): Promise<void> {
    const policies = await this.#components(POLICY)
    for (const policy of policies) {
      if (policy.providerId !== 'trusted-hosts' || policy.subType !== 'anonymous') continue
      const config = { ...policy.config, 'trusted-hosts': [host] }
      await this.admin('PUT', `/components/${policy.id}`, { ...policy, config })
    }
  }

  /** Another RSA key, which signs from now on. */
  async addKey(priority: number): Promise<void> {
    const [any] = await this.#components(KEYS)
    await this.admin('POST', '/components', {
      name: `rsa-${priority}`,
      parentId: any?.parentId,
      providerId: 'rsa-generated',
      providerType: KEYS,
      config: {
        priority: [String(priority)],
        enabled: ['true'],
        active: ['true'],
        algorithm: ['RS256'],
        keySize: ['2048'],
      },
    })
  }

  /** Takes all RSA keys away that sign, but the one with this priority. */
  async removeOtherKeys(priority: number): Promise<void> {
    for (const key of await this.#components(KEYS)) {
      if (key.providerId !== 'rsa-generated') continue
      if (key.config['priority']?.[0] === String(priority)) continue
      await this.admin('DELETE', `/components/${key.id}`)
    }
  }

  /** A request to its administration. */
  admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#keycloak.admin(method, `/${this.name}${path}`, body)
  }

  #components(type: string): Promise<Component[]> {
    return this.admin('GET', `/components?type=${type}`)
  }
}
