/** All rows of docs/conformance.md. */
import { featureSections } from './feature_rows.js'
import { moduleSections } from './module_rows.js'
import type { Section } from './row.js'
import { securitySection } from './security_rows.js'

export const sections: Section[] = [...moduleSections, securitySection, ...featureSections]
