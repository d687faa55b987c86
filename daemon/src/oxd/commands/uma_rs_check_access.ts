import { oneOf, oxd_id, required, string, token } from '../../command.js'
import { paramFault } from '../../uma/params.js'
import { isHttpMethod } from '../../uma/resources.js'
import { orNull, oxdCommand } from '../oxd_command.js'
import { needed, notServed } from '../uma.js'

export const uma_rs_check_access = oxdCommand({
  doc: 'Says whether a resource server may grant a request.',
  since: '2.4.4',
  asks_op: true,
  // `invalid_request` means to its clients that nobody protects the path: none may hear it of a
  // path that is too long, or they would let it pass.
  told_as: { invalid_request: 'internal_error' },
  params: {
    oxd_id,
    rpt: token({ doc: 'What the request brought; nothing, or blank, if it brought none.' }),
    path: string({ doc: 'Of the request; it must be there.' }),
    http_method: string({ doc: 'Of the request; it must be there.' }),
  },
  result: {
    access: required(oneOf({ doc: 'The answer.' }, ['granted', 'denied'])),
    // Trap 8: in replies to 3.0 and 2.4 it must be left out, not null, where access is granted: no
    // attribute of Python can have its name.
    'www-authenticate_header': string({ doc: 'What to answer who was denied.' }),
    ticket: orNull(token({ doc: 'The permission ticket in it.' })),
  },
  async run(context, _site, { path, http_method }) {
    needed(path, 'path', 'invalid_path_parameter')
    const method = needed(http_method, 'http_method', 'invalid_http_method')
    if (!isHttpMethod(method)) {
      throw paramFault('invalid_http_method', 'http_method', 'must be an HTTP method, such as GET')
    }
    // Not oxd's "not protected": what was protected with oxD would then be open.
    return notServed(context)
  },
})
