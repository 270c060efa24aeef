// The only file that imports commander's Command as a value; every other file of commands gets the program handed in.

import { Command } from 'commander'

type Register = (program: Command) => void

/** Each in its own file, loaded when it is wanted: a daemon starts without the rest. */
const COMMANDS: Readonly<Record<string, () => Promise<Register>>> = {
  demo: async () => (await import('./demo.ts')).registerDemo,
  agent: async () => (await import('./agent.ts')).registerAgent,
  relay: async () => (await import('./relay.ts')).registerRelay,
  pki: async () => (await import('./pki.ts')).registerPki,
  identity: async () => (await import('./identity.ts')).registerIdentity,
  spool: async () => (await import('./spool.ts')).registerSpool,
  import: async () => (await import('./import.ts')).registerImport,
  explain: async () => (await import('./explain.ts')).registerExplain,
}

/**
 * The command line; nothing has run.
 * @param wanted the first word of it: with the name of a command that one alone is there, else all
 */
export async function makeProgram(wanted?: string): Promise<Command> {
  const program = new Command('loghop')
    .description('Secure log forwarding: /dev/log over mutual TLS to files per host, exactly once.')
    .version('0.1.0')
    .showHelpAfterError('See "loghop --help".')
    .exitOverride()
  const names = wanted !== undefined && Object.hasOwn(COMMANDS, wanted) ? [wanted] : Object.keys(COMMANDS)
  for (const name of names) (await COMMANDS[name]!())(program)
  return program
}
