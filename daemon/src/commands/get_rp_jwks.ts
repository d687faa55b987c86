import { command, oneOf, oxd_id, records, required, string, strings } from '../command.js'
import { publicJwks } from '../op/own_keys.js'

const member = (doc: string, spec: string) => string({ doc, spec, maxLength: 8192 })

export const get_rp_jwks = command({
  doc: "The public keys of the caller's site, its own and those that its operator gave, as a JWK Set: to publish at its `jwks_uri`, or to be entered at the OP. None where the site has no keys. Published again within the hour, a key that replaces another is known in time: it signs a day after it is here.",
  spec: ['RFC 7517 5', 'OIDC Registration 2'],
  retry: 'safe',
  params: { oxd_id },
  result: {
    keys: required(
      records(
        { doc: 'Public halves alone, the newest first.', spec: 'RFC 7517 5.1' },
        {
          kty: required(member('Kind of the key: RSA, EC or OKP.', 'RFC 7517 4.1')),
          kid: required(member('By which the OP finds it.', 'RFC 7517 4.5')),
          use: oneOf(
            { doc: 'Signatures, or what is encrypted to the site.', spec: 'RFC 7517 4.2' },
            ['sig', 'enc'],
          ),
          alg: member('What it signs or is encrypted to with.', 'RFC 7517 4.4'),
          crv: member('Its curve.', 'RFC 7518 6.2.1'),
          x: member('A coordinate.', 'RFC 7518 6.2.1'),
          y: member('A coordinate.', 'RFC 7518 6.2.1'),
          n: member('Its modulus.', 'RFC 7518 6.3.1'),
          e: member('Its exponent.', 'RFC 7518 6.3.1'),
          x5c: strings({
            doc: 'Its certificate, and those that lead to its CA.',
            spec: 'RFC 7517 4.7',
            maxLength: 65_536,
          }),
          'x5t#S256': member('SHA-256 of the certificate.', 'RFC 7517 4.9'),
        },
      ),
    ),
  },
  errors: ['invalid_oxd_id'],
  async run(_context, site) {
    return publicJwks(site)
  },
})
