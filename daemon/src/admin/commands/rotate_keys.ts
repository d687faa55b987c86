import { integer, oneOf, required } from '../../command.js'
import { tellingOf } from '../../op/key_change.js'
import { registrationChangeErrors } from '../../registration_changes.js'
import { adminCommand } from '../admin_command.js'
import { selectErrors, selectSite, servedRealm, wholeSite } from '../select_site.js'
import { siteParams } from '../site_params.js'
import { describeOneSite, oneSiteResult } from '../site_result.js'

export const rotate_keys = adminCommand({
  doc: 'Replaces the keys that relyd made for a site, as it does by itself when they are old (client_key_lifetime). The OP is told of the new ones before they are used; the old ones are kept as long as they may still be needed.',
  spec: ['RFC 7592 2.2', 'OIDC Registration 2'],
  params: siteParams,
  result: {
    ...oneSiteResult,
    told: required(
      oneOf(
        {
          doc: 'How the OP learns of the new keys: `update`, it was told; `jwks_uri`, it fetches what the site publishes (get_rp_jwks).',
        },
        ['update', 'jwks_uri'],
      ),
    ),
    signs_from: integer({
      doc: 'From when on the new key signs, in seconds since the epoch; absent where none signs.',
    }),
  },
  errors: [...selectErrors, 'site_exists', ...registrationChangeErrors],
  async run(context, params) {
    const site = await wholeSite(context, await selectSite(context, params))
    const realm = servedRealm(context, site.realm)
    const rotated = await context.key_rotation.rotate(realm, site)
    const signing = rotated.secrets.own_keys?.find(({ use }) => use === 'sig')
    return {
      ...describeOneSite(await selectSite(context, { site: site.oxd_id })),
      told: tellingOf(rotated) ?? 'update',
      ...(signing?.ready_at !== undefined && { signs_from: signing.ready_at }),
    }
  },
})
