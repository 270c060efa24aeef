import type { Command } from 'commander'
import { loadIdentity } from '../core/identity/identity.ts'
import { registerIdentityNew } from './identity-new.ts'
import { explainIdentity } from './identity-show.ts'

/** Adds `identity new` and `identity show`. Faults of the directory are LoghopErrors, for the caller to print. */
export function registerIdentity(program: Command): void {
  const identity = program.command('identity').description('who this host is: its key, certificate and trusted authorities')
  registerIdentityNew(identity)
  identity
    .command('show')
    .description('explain an identity directory, and print its pins')
    .argument('<dir>', 'directory with key.pem, cert.pem, ca.pem and perhaps crl.pem')
    .addHelpText('after', '\nExample:\n  $ loghop identity show /var/lib/loghop/identity')
    .action((directory: string) => {
      process.stdout.write(`${explainIdentity(loadIdentity(directory), Date.now()).join('\n')}\n`)
    })
}
