/** `relyd call`: any command, of a website or of the operator, sent to the running daemon. */
import { type Command, Option } from 'commander'
import { withExamples } from './examples.js'
import { withConfig } from './options.js'
import type { CallOptions } from './send.js'

export function addCall(program: Command): void {
  const where = (flags: string, description: string, ...others: string[]) =>
    new Option(flags, description).conflicts(others)
  withExamples(
    withConfig(program.command('call'))
      .description(
        "send one command to the running daemon, over a website's socket, and print the answer",
      )
      .argument('<command>', 'as docs/protocol.md names it, or docs/admin-protocol.md')
      .argument(
        '[params...]',
        'key=value, key=@FILE for what a file holds, key=@- for standard input, key=@@… for a value that begins with @; a list is a key given again, or JSON',
      )
      .option('--json <file>', 'parameters as a JSON object; - for standard input')
      .option('--compact', 'the answer in one line')
      .addOption(
        where(
          '--listener <name>',
          'the listener to call over, if not the first Unix socket of relyd.cfg',
        ),
      )
      .addOption(where('--socket <path>', 'a socket, whatever relyd.cfg says', 'listener'))
      .addOption(
        where(
          '--cfg <file>',
          "a website's cfg: its socket, or TCP with TLS, and its oxd_id; registers it if need be",
          'listener',
          'socket',
        ),
      )
      .addOption(
        where('--admin', "a command of the operator's, over the admin socket", 'listener', 'cfg'),
      ),
    ['relyd call ping', 'whether the daemon answers websites'],
    ['relyd call get_site --cfg /etc/mysite/site.cfg', 'what relyd knows of a website'],
    [
      'relyd call get_authorization_url --cfg /etc/mysite/site.cfg scope=openid scope=email',
      'the address of a login, with a list given word by word',
    ],
    [
      'relyd call get_user_info --cfg /etc/mysite/site.cfg session_id=@/run/user/1000/session',
      'a secret is taken from a file; among arguments it is refused',
    ],
    [
      'relyd call get_session --cfg /etc/mysite/site.cfg --json - < params.json',
      'all parameters from standard input',
    ],
    ['relyd call --admin status --compact', "the operator's commands, for programs"],
  ).action(async (name: string, words: string[], options: CallOptions) => {
    const { call } = await import('./send.js')
    await call(name, words, options)
  })
}
