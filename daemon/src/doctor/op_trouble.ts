/** Says in words what is wrong with an OP, or with the way to it, and what helps. */
import { bounded } from '../errors.js'
import type { OpProbe } from '../op/probe.js'

type Trouble = NonNullable<OpProbe['trouble']>

const NOT_TRUSTED =
  'if the CA is one of your own, let the daemon trust it: systemctl edit relyd, [Service], Environment=NODE_EXTRA_CA_CERTS=/etc/relyd/ca.pem'

/** By the codes of Node's TLS, system and DNS errors. */
const known: Record<string, { what: string; cure: string }> = {
  CERT_HAS_EXPIRED: {
    what: 'its TLS certificate has expired',
    cure: 'have the OP renew its certificate; if others find it good, set the clock of this host (timedatectl)',
  },
  CERT_NOT_YET_VALID: {
    what: 'its TLS certificate is not valid yet',
    cure: 'set the clock of this host (timedatectl), or have the OP correct its certificate',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    what: 'its TLS certificate is for another name',
    cure: 'name the OP as its certificate does, or have the OP give it a certificate of this name',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: {
    what: 'its TLS certificate is signed by itself, by no CA that is trusted here',
    cure: NOT_TRUSTED,
  },
  SELF_SIGNED_CERT_IN_CHAIN: {
    what: 'its TLS certificate comes of a CA that is not trusted here',
    cure: NOT_TRUSTED,
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    what: 'its TLS certificate comes of a CA that is not trusted here, or it sends its chain without the CA between',
    cure: `have the OP send its whole chain; ${NOT_TRUSTED}`,
  },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    what: 'its TLS certificate comes of a CA that is not trusted here, or it sends its chain without the CA between',
    cure: `have the OP send its whole chain; ${NOT_TRUSTED}`,
  },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    what: 'what answers there speaks no TLS',
    cure: 'check host and port of the OP',
  },
  ENOTFOUND: {
    what: 'its name does not resolve',
    cure: 'check the name (getent hosts NAME), and the name servers in /etc/resolv.conf',
  },
  EAI_AGAIN: {
    what: 'no name server answers',
    cure: 'check the name servers in /etc/resolv.conf',
  },
  ECONNREFUSED: {
    what: 'nobody listens at its address (connection refused)',
    cure: 'check host and port of the OP, and whether it runs',
  },
  EHOSTUNREACH: {
    what: 'there is no way to its address',
    cure: 'check routes and firewall (ip route get ADDRESS)',
  },
  ENETUNREACH: {
    what: 'there is no way to its network',
    cure: 'check routes and firewall (ip route get ADDRESS)',
  },
  UND_ERR_CONNECT_TIMEOUT: {
    what: 'it does not take connections in time',
    cure: 'check the firewall between this host and the OP, or set "proxy" in relyd.cfg where one is needed',
  },
}

export function troubleInWords(
  { step, error, code }: Trouble,
  proxy: string | undefined,
): { what: string; cure: string } {
  const through = proxy === undefined ? '' : ` (through the proxy ${proxy})`
  const words = code === undefined ? undefined : known[code]
  if (words) {
    return { what: `${words.what}${through} (${code})`, cure: words.cure }
  }
  const said = bounded(error.message)
  switch (error.code) {
    case 'invalid_op_host':
      return { what: said, cure: 'write it as https://op.example.com' }
    case 'op_host_not_allowed':
      return {
        what: said,
        cure: 'if it is an OP of yours, list its host in allowed_op_hosts of the realm in relyd.cfg',
      }
    case 'invalid_op_metadata':
      return {
        what: said,
        cure: 'write the OP as its metadata does (issuer), to the letter; the rest is for the OP to mend',
      }
    default:
      return step === 'keys'
        ? {
            what: `its keys cannot be used, so that no login can be verified: ${said}`,
            cure: 'have the OP mend its jwks_uri',
          }
        : {
            what: said,
            cure: 'look at the address with: curl -v OP/.well-known/openid-configuration',
          }
  }
}
