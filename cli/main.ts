// The only file that imports commander's Command as a value; every other file of commands gets the program handed in.

import { Command, CommanderError } from 'commander'
import { ConfigurationError } from '../core/base/configuration.ts'
import { explain, LoghopError } from '../core/base/errors.ts'
import { registerAgent } from './agent.ts'
import { EXIT_CONFIGURATION, EXIT_FAILED } from './daemon-commands.ts'
import { registerDemo } from './demo.ts'
import { registerExplain } from './explain.ts'
import { registerIdentity } from './identity.ts'
import { registerImport } from './import.ts'
import { registerPki } from './pki.ts'
import { registerRelay } from './relay.ts'
import { registerSpool } from './spool.ts'

const EXIT_USAGE = 64

function makeProgram(): Command {
  const program = new Command('loghop')
    .description('Secure log forwarding: /dev/log over mutual TLS to files per host, exactly once.')
    .version('0.1.0')
    .showHelpAfterError('See "loghop --help".')
    .exitOverride()
  registerDemo(program)
  registerAgent(program)
  registerRelay(program)
  registerPki(program)
  registerIdentity(program)
  registerSpool(program)
  registerImport(program)
  registerExplain(program)
  return program
}

/** Every subcommand inherits exitOverride only when it is made through `command()`, which all of them are. */
async function main(): Promise<number | undefined> {
  try {
    await makeProgram().parseAsync()
    return undefined
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
    process.stderr.write(`loghop: ${explain(error)}\n`)
    if (error instanceof ConfigurationError) return EXIT_CONFIGURATION
    return error instanceof LoghopError && error.code === 'USAGE' ? EXIT_USAGE : EXIT_FAILED
  }
}

const code = await main()
if (code !== undefined) process.exitCode = code
