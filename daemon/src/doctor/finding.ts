/** What the doctor found wrong, in words for the operator. */

/**
 * - `fault`: something does not work, or is open to others
 * - `warning`: it works, and will not for long, or not for everybody
 * - `note`: worth knowing, such as what could not be looked at
 */
export type Severity = 'fault' | 'warning' | 'note'

export interface Finding {
  severity: Severity
  /** What is looked at: a path, an option, an OP, a site. */
  about: string
  /** One sentence, with the evidence. */
  what: string
  /** One sentence, a command to copy where there is one. */
  cure: string
}

export function fault(about: string, what: string, cure: string): Finding {
  return finding('fault', about, what, cure)
}

export function warning(about: string, what: string, cure: string): Finding {
  return finding('warning', about, what, cure)
}

export function note(about: string, what: string, cure: string): Finding {
  return finding('note', about, what, cure)
}

function finding(severity: Severity, about: string, what: string, cure: string): Finding {
  return { severity, about, what, cure }
}
