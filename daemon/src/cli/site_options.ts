/** Options that say what a site shall be, and the parameters that come of them. */
import { type Command, Option } from 'commander'
import { bounded } from '../errors.js'
import { credentialMethods } from '../op/credential_methods.js'
import {
  type ResponseMode,
  type ResponseType,
  responseModes,
  responseTypes,
} from '../op/response_type.js'
import { isInTheClear } from '../redirect_address.js'
import { wrongUsage } from './exit_codes.js'
import { complain } from './output.js'
import { readInput, readSecretInput, refuseTwoInputs } from './secret_input.js'
import { optionOf } from './site_refusal.js'

export interface SiteOptions {
  clientSecretFile?: string
  privateKey?: string
  keyId?: string
  signingAlg?: string
  certificate?: string
  tlsCertificate?: string
  tlsKey?: string
  clientAssertionFile?: string
  appleTeamId?: string
  appleKeyId?: string
  appleKey?: string
  authMethod?: AuthMethod
  redirectUri?: string[]
  postLogoutRedirectUri?: string
  scope?: string[]
  acrValues?: string[]
  uiLocales?: string[]
  responseType?: ResponseType
  responseMode?: ResponseMode
  clientName?: string
  idTokenAlg?: string
  clientMetadata?: string
  loginBinding?: 'required' | 'none'
  tokens?: 'site' | 'daemon'
}

type AuthMethod = Exclude<(typeof credentialMethods)[number], 'apple'>

/** Apple's its own options say. */
const methods = credentialMethods.filter((one) => one !== 'apple')

/** Adds the options that `sites add` and `sites update` share. */
export function withSiteOptions(command: Command): Command {
  return command
    .option('--client-secret-file <file>', "file with the client's secret; - for standard input")
    .option('--private-key <file>', 'private key of the client (private_key_jwt): PEM or JWK, or -')
    .option('--key-id <kid>', 'the kid by which the OP knows that key')
    .option('--signing-alg <alg>', 'what that key signs with, such as PS256')
    .option('--certificate <file>', 'certificate of that key, where the OP wants it (Entra ID)')
    .option('--tls-certificate <file>', 'certificate that the client shows to the OP (RFC 8705)')
    .option('--tls-key <file>', 'private key of that certificate, or -')
    .option(
      '--client-assertion-file <path>',
      'file of a client assertion that the platform renews (workload identity); read by the daemon at each use',
    )
    .option('--apple-team-id <id>', 'Sign in with Apple: the team')
    .option('--apple-key-id <id>', 'Sign in with Apple: the id of the key')
    .option('--apple-key <file>', 'Sign in with Apple: the file AuthKey_….p8, or -')
    .addOption(
      new Option(
        '--auth-method <method>',
        "how relyd authenticates to the OP; by default what is given, and the OP's metadata, say it",
      ).choices(methods),
    )
    .option('--redirect-uri <uri>', 'where logins come back to; may be repeated', collect)
    .option('--post-logout-redirect-uri <uri>', 'where logouts come back to')
    .option('--scope <scopes>', 'what logins ask for: openid,profile,email unless given', list)
    .option('--acr-values <values>', 'how End-Users should be authenticated, best first', list)
    .option('--ui-locales <languages>', "languages of the OP's pages", list)
    .addOption(
      new Option(
        '--response-type <type>',
        'what the OP answers logins with: code unless given; in quotes where it has spaces',
      ).choices(responseTypes),
    )
    .addOption(
      new Option(
        '--response-mode <mode>',
        'how that answer comes back: query for code, else fragment, unless given',
      ).choices(responseModes),
    )
    .option('--client-name <name>', 'what the OP calls the site')
    .option('--id-token-alg <alg>', 'what the OP signs its ID Tokens with')
    .option(
      '--client-metadata <file>',
      'all else that a registration may hold: a JSON object of client metadata (docs/admin-protocol.md, add_site), or -',
    )
    .addOption(
      new Option(
        '--login-binding <how>',
        'none lets a callback come from another browser than the login: unsafe',
      ).choices(['required', 'none']),
    )
    .addOption(
      new Option('--tokens <who>', 'daemon keeps all tokens from the site').choices([
        'site',
        'daemon',
      ]),
    )
}

/** The parameters; reads the files. */
export async function siteParamsOf(options: SiteOptions) {
  return {
    ...(await metadataOf(options)),
    ...credentialsOf(options),
    ...given(settingsOf(options)),
  }
}

/** Options of members that relyd's own commands have under another name. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['token_endpoint_auth_method', '--auth-method'],
  ['token_endpoint_auth_signing_alg', '--signing-alg'],
])

/** By their registered names. */
async function metadataOf({ clientMetadata: path }: SiteOptions): Promise<object> {
  if (path === undefined) return {}
  const members = objectOf(readInput('--client-metadata', path))
  const { settingParams } = await import('../admin/site_params.js')
  for (const name of Object.keys(members)) {
    if (Object.hasOwn(settingParams, name) && name !== 'redirect_uris') continue
    const option =
      ELSEWHERE.get(name) ?? (Object.hasOwn(optionOf, name) ? optionOf[name] : undefined)
    throw wrongUsage(
      option === undefined
        ? `--client-metadata: ${bounded(name, 64)} is no metadata that relyd knows; what an OP has invented belongs in the member metadata`
        : `--client-metadata: ${name} does not belong there; ${option} says it`,
    )
  }
  return members
}

function objectOf(text: string): object {
  try {
    const members: unknown = JSON.parse(text)
    if (typeof members === 'object' && members !== null && !Array.isArray(members)) return members
  } catch {}
  throw wrongUsage('--client-metadata: the file holds no JSON object')
}

function settingsOf(options: SiteOptions) {
  return {
    redirect_uris: options.redirectUri,
    post_logout_redirect_uri: options.postLogoutRedirectUri,
    scope: options.scope,
    acr_values: options.acrValues,
    ui_locales: options.uiLocales,
    response_type: options.responseType,
    response_mode: options.responseMode,
    client_name: options.clientName,
    id_token_signed_response_alg: options.idTokenAlg,
    login_binding: options.loginBinding,
    tokens: options.tokens,
  }
}

/** @throws CliError unless the client and its credentials are both given, or neither */
export function requireBoth(client_id: string | undefined, options: SiteOptions): void {
  const flag = ways
    .flat()
    // Also said of a client that relyd registers.
    .filter((name) => client_id !== undefined || name !== 'signingAlg')
    .find((name) => options[name] !== undefined)
  if (client_id === undefined && flag !== undefined) {
    throw wrongUsage(`--client-id is missing; ${flagOf(flag)} belongs to one`)
  }
  if (client_id === undefined || flag !== undefined || options.authMethod !== undefined) return
  throw wrongUsage(
    'no credential; give --client-secret-file, --private-key, --tls-certificate, --client-assertion-file or --apple-key, or --auth-method none for a public client',
  )
}

/** What an operator should know of a site that was added or changed. */
export function warnOfAddresses(uris: readonly string[]): void {
  for (const uri of uris.filter((one) => isInTheClear(new URL(one)))) {
    complain(
      `relyd: WARNING: logins come back to ${uri} without TLS, where codes can be read on their way; good for a test only`,
    )
  }
}

/** Ways to authenticate, each with its options; a site has one of them. */
const ways = [
  ['clientSecretFile'],
  ['privateKey', 'keyId', 'signingAlg', 'certificate'],
  ['tlsCertificate', 'tlsKey'],
  ['appleTeamId', 'appleKeyId', 'appleKey'],
  ['clientAssertionFile'],
] as const satisfies (keyof SiteOptions)[][]

function credentialsOf(options: SiteOptions) {
  const used = ways.filter((way) => way.some((name) => options[name] !== undefined))
  if (used.length > 1) {
    const named = used.map((way) => flagOf(way.find((name) => options[name] !== undefined) ?? ''))
    throw wrongUsage(`${named.join(' and ')} exclude each other; give one`)
  }
  refuseTwoInputs([options.privateKey, options.certificate])
  refuseTwoInputs([options.tlsCertificate, options.tlsKey])
  const { clientSecretFile, privateKey, certificate, tlsCertificate, tlsKey, appleKey } = options
  const [way] = used
  const isTls = way === ways[2]
  const isApple = way === ways[3]
  const by_way = isApple ? 'apple' : isTls ? 'tls_client_auth' : undefined
  const auth_method: AuthMethod | 'apple' | undefined = options.authMethod ?? by_way
  return given({
    auth_method,
    client_secret: secret('--client-secret-file', clientSecretFile),
    private_key:
      secret('--private-key', privateKey) ??
      secret('--tls-key', tlsKey) ??
      secret('--apple-key', appleKey),
    key_id: options.keyId ?? options.appleKeyId,
    signing_alg: options.signingAlg,
    certificate: plain('--certificate', certificate) ?? plain('--tls-certificate', tlsCertificate),
    client_assertion_file: options.clientAssertionFile,
    team_id: options.appleTeamId,
  })
}

function secret(option: string, path: string | undefined): string | undefined {
  return path === undefined ? undefined : readSecretInput(option, path)
}

function plain(option: string, path: string | undefined): string | undefined {
  return path === undefined ? undefined : readInput(option, path)
}

/** Without what was not given. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const there = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(there) as { [K in keyof T]?: Exclude<T[K], undefined> }
}

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** Of an option that may be repeated. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

function list(value: string): string[] {
  return value.split(/[\s,]+/).filter((word) => word !== '')
}
