#!/usr/bin/env node
/** The command `relyd`. */
import { runProgram } from './cli/program.js'
import { guardOutput } from './crash.js'

guardOutput()
await runProgram(process.argv)
