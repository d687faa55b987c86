/** How commands name an OP at which the caller need not have a site. */
import { string } from './command.js'

export const opParams = {
  op_host: string({
    doc: "The OP's issuer address. Without it, the daemon's default OP.",
    spec: 'OIDC Discovery 4',
  }),
  op_discovery_path: string({
    doc: 'Path between op_host and `/.well-known/openid-configuration`.',
  }),
}
