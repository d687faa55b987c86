/** `relyd doctor`: looks the whole installation over, and names what is wrong with its cure. */
import type { Command } from 'commander'
import type { DoctorOptions } from '../doctor/doctor.js'
import { withExamples } from './examples.js'
import { exitCodes } from './exit_codes.js'
import { type ConfigOption, type JsonOption, withConfig, withJson } from './options.js'
import { say, sayJson } from './output.js'

type Options = ConfigOption & JsonOption & Pick<DoctorOptions, 'keyFile' | 'user' | 'op' | 'root'>

export function addDoctor(program: Command): void {
  withExamples(
    withJson(withConfig(program.command('doctor')))
      .description(
        'look for what is wrong with the installation, and say how to mend it; changes nothing',
      )
      .option(
        '--user <name...>',
        "whether the websites' users can reach the sockets; others than oneself as root only",
      )
      .option('--op <url...>', 'look at these OPs, too')
      .option('--key-file <file>', 'the file of keys, where relyd.cfg or the unit names another')
      .option('--root <dir>', 'where the units are installed, if not at /'),
    ['sudo relyd doctor', 'after an installation, an upgrade, or at trouble'],
    ['sudo relyd doctor --user www-data', "whether the web server's user can reach the daemon"],
    [
      'relyd doctor --config relyd.cfg --op https://op.example.com',
      'whether relyd could use an OP',
    ],
  ).action(async ({ json, ...options }: Options) => {
    const { examine } = await import('../doctor/doctor.js')
    const report = await examine(options)
    const faults = report.findings.filter(({ severity }) => severity === 'fault').length
    if (json) sayJson(report)
    else show(report, faults)
    // When a pipe has taken all of it, and whatever still waits for a name server or an OP.
    const code = faults > 0 ? exitCodes.unhealthy : exitCodes.done
    process.stdout.write('', () => process.exit(code))
  })
}

function show(
  { checks, findings }: Awaited<ReturnType<typeof import('../doctor/doctor.js').examine>>,
  faults: number,
): void {
  for (const { severity, about, what, cure } of findings) {
    say(`${severity.toUpperCase()}  ${about}: ${what}`)
    say(`  cure: ${cure}`)
    say()
  }
  const looked = `${checks.length} checks`
  if (findings.length === 0) say(`${looked}, and nothing is wrong`)
  else say(`${looked}: ${faults} of ${findings.length} findings must be mended (FAULT)`)
}
