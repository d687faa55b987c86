import { command, required, string } from '../command.js'
import { lookUp, lookupErrors, takeLookup } from '../lookups.js'
import { findIssuer } from '../op/webfinger.js'

export const get_issuer = command({
  doc: "Finds the OP of an End-User by what the End-User types in: asks the identifier's host by WebFinger, then the OP itself. Any host of the world can be named so, and can name any OP: whether the site trusts that OP is for the site to say, before it registers there. The operator has to allow it (`webfinger = yes`).",
  spec: ['OIDC Discovery 2', 'RFC 7033 4'],
  retry: 'safe',
  asks_op: true,
  params: {
    resource: required(
      string({
        doc: 'What the End-User typed: an e-mail address, `acct:user@host`, an https address, or a host with or without a port.',
        spec: 'OIDC Discovery 2.1',
        maxLength: 2048,
      }),
    ),
  },
  result: {
    issuer: required(
      string({ doc: "The OP, as its metadata says itself. It is register_site's op_host." }),
    ),
    resource: required(
      string({ doc: 'The identifier as it was asked about.', spec: 'OIDC Discovery 2.1.2' }),
    ),
    subject: string({ doc: 'Whom the host means by it, if it says so.', spec: 'RFC 7033 4.4.1' }),
  },
  errors: ['webfinger_not_allowed', 'no_issuer_found', ...lookupErrors],
  async run(context, _site, { resource: typed }) {
    const { realm, op, refuse } = context
    if (!realm.webfinger) {
      return refuse(
        'webfinger_not_allowed',
        `the operator has not allowed it: webfinger = yes in [realm ${realm.name}] of relyd.cfg does`,
        { details: { option: 'webfinger' } },
      )
    }
    takeLookup(realm)
    const { resource, subject, issuer } = await findIssuer(op, typed)
    const provider = await lookUp(context, issuer)
    // OIDC Discovery 4.3: here an issuer was named, and not only its place.
    if (provider.issuer !== issuer) {
      return refuse(
        'invalid_op_metadata',
        'the OP that WebFinger names says that it is another issuer',
        { details: { member: 'issuer', expected: issuer, received: provider.issuer } },
      )
    }
    return { issuer, resource, ...(subject !== undefined && { subject }) }
  },
})
