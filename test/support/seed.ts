/** Property tests draw the same values in every run; FC_SEED=N looks elsewhere. */
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env['FC_SEED'] ?? 20_261_122) })
