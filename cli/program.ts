// The only file that imports commander's Command as a value; every other file of commands gets the program handed in.

import { Command } from 'commander'
import { registerAgent } from './agent.ts'
import { registerDemo } from './demo.ts'
import { registerIdentity } from './identity.ts'
import { registerImport } from './import.ts'
import { registerPki } from './pki.ts'
import { registerRelay } from './relay.ts'
import { registerSpool } from './spool.ts'

/** The whole command line; nothing has run. */
export function makeProgram(): Command {
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
  return program
}
