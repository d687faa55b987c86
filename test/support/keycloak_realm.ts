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

  /** A client without End-Users that may register others. */
  async putRegistrar(registrar: { clientId: string; secret: string }): Promise<void> {
    await this.putClient({ ...registrar, serviceAccountsEnabled: true, standardFlowEnabled: false })
    const idOf = async (client_id: string) => (await this.client(client_id))?.['id']
    const user = await this.admin<{ id: string }>(
      'GET',
      `/clients/${await idOf(registrar.clientId)}/service-account-user`,
    )
    const management = await idOf('realm-management')
    const role = await this.admin<object>('GET', `/clients/${management}/roles/create-client`)
    await this.admin('POST', `/users/${user.id}/role-mappings/clients/${management}`, [role])
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

  /** Another RSA key, which signs from now on if no other has a higher priority. */
  async addKey(priority: number, algorithm = 'RS256'): Promise<void> {
    await this.#addKey(`${algorithm}-${priority}`, 'rsa-generated', priority, {
      algorithm: [algorithm],
      keySize: ['2048'],
    })
  }

  /** Keys of every kind. It would make them when they are first used, one by one. */
  async addKeysOfAllKinds(): Promise<void> {
    for (const algorithm of ['RS512', 'PS256']) await this.addKey(50, algorithm)
    for (const curve of ['P-256', 'P-521']) {
      await this.#addKey(curve, 'ecdsa-generated', 50, { ecdsaEllipticCurveKey: [curve] })
    }
    const curve = { eddsaEllipticCurveKey: ['Ed25519'] }
    await this.#addKey('Ed25519', 'eddsa-generated', 50, curve)
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

  async #addKey(
    name: string,
    providerId: string,
    priority: number,
    config: Component['config'],
  ): Promise<void> {
    const [any] = await this.#components(KEYS)
    await this.admin('POST', '/components', {
      name,
      parentId: any?.parentId,
      providerId,
      providerType: KEYS,
      config: { priority: [String(priority)], enabled: ['true'], active: ['true'], ...config },
    })
  }

  #components(type: string): Promise<Component[]> {
    return this.admin('GET', `/components?type=${type}`)
  }
}
