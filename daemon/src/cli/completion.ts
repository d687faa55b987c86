/** `relyd completion`: a script by which bash or zsh completes what is typed. */
import { Argument, type Command } from 'commander'
import { withExamples } from './examples.js'

export function addCompletion(program: Command): void {
  withExamples(
    program
      .command('completion')
      .description('print a script that completes commands and options in a shell')
      .addArgument(new Argument('<shell>', 'whose script it is').choices(['bash', 'zsh'])),
    [
      'relyd completion bash > /etc/bash_completion.d/relyd',
      'for all users of bash; new shells have it',
    ],
    ['relyd completion zsh > /usr/share/zsh/vendor-completions/_relyd', 'for all users of zsh'],
  ).action(async (shell: 'bash' | 'zsh') => {
    const { completionScript } = await import('./completion_script.js')
    console.log(completionScript(program, shell))
  })
}
