import type { Command } from 'commander'
import { dayOf } from '../core/transport/certificate.ts'
import { ISSUER_DAYS, LEAF_DAYS, LEAF_DAYS_LIMIT } from '../pki/policy.ts'
import { registerPkiExport } from './pki-export.ts'
import { registerInvite } from './pki-invite.ts'
import { registerList } from './pki-list.ts'
import {
  acting,
  collect,
  duration,
  PASSPHRASE_HELP,
  type PassphraseFlags,
  passphraseOptions,
  print,
  readPassphrase,
  whoActs,
  wholeNumber,
} from './pki-options.ts'
import { registerRevoke } from './pki-revoke.ts'
import { registerRotate } from './pki-rotate.ts'
import { registerPkiServe } from './pki-serve.ts'

// The authority itself is loaded when a command of it runs: the daemons start without it.

interface InitFlags extends PassphraseFlags {
  directory: string
  name: string
}

async function init(flags: InitFlags): Promise<void> {
  const { initAuthority } = await import('../pki/init.ts')
  const passphrase = await readPassphrase(flags, true)
  const { directory, root, issuer } = await initAuthority(
    { directory: flags.directory, name: flags.name, passphrase, by: whoActs() },
    Date.now(),
  )
  print(
    [
      `Made the authority "${flags.name}" in ${directory}`,
      `  root    valid to ${dayOf(root.validTo)}  ${root.certificateSha256}`,
      `  issuer  valid to ${dayOf(issuer.validTo)}  ${issuer.certificateSha256}`,
      passphrase === undefined
        ? "The root's key, root-1.key.pem, is NOT encrypted: no passphrase was given."
        : "The root's key, root-1.key.pem, is encrypted; without the passphrase no new issuer can be made when this one ends.",
      'Keep a copy of root-1.key.pem on a medium in a safe, then remove it here: only a rotation needs it, issuing does not.',
      'Next: loghop pki serve --listen 0.0.0.0:8443 --name NAME-OF-THIS-MACHINE',
      'then for each host: loghop pki invite NAME --role relay (or --role agent)',
    ],
    directory,
  )
}

interface IssueOptions {
  role: string
  san: string[]
  speaksFor: string[]
  days?: number
  life?: number
  directory: string
  out: string
}

async function issue(name: string, options: IssueOptions): Promise<void> {
  const { issueIdentity } = await import('../pki/issue.ts')
  const { facts, ...identity } = await issueIdentity({ name, ...options, lifeMs: options.life, by: whoActs() }, Date.now())
  print([
    `Issued ${identity.name} (${facts.role}) in ${identity.directory}`,
    `  names       ${[...facts.names, ...facts.addresses].join(', ')}`,
    ...(facts.speaksFor.length > 0 ? [`  speaks for  ${facts.speaksFor.join(', ')}`] : []),
    `  valid to    ${dayOf(facts.validTo)}`,
    `  pin         ${facts.certificateSha256}`,
    `Next: copy the directory to ${identity.name}, owned by the user loghop runs as, and name it as "identity" in ${facts.role}.yaml`,
  ])
}

const INIT_EXAMPLE = `
Example:
  $ loghop pki init --directory /var/lib/loghop-ca --name "Example Logs" --passphrase-prompt

Makes root-1.pem and root-1.key.pem (10 years), issuer-1.pem and issuer-1.key.pem (1 year; it signs the hosts), and the journal.
It never overwrites anything. ${PASSPHRASE_HELP}
Without one that key is not encrypted: then take it off this machine, or accept that a new issuer is made by itself each year.`

const ISSUE_EXAMPLE = `
Examples:
  $ loghop pki issue web01.site1.example.com --role agent --directory /var/lib/loghop-ca --out web01.identity
  $ loghop pki issue relay.site1.example.com --role relay --san 192.0.2.7 --san 2001:db8::7 \\
      --speaks-for '*.site1.example.com' --directory /var/lib/loghop-ca --out relay.identity

The key is made here: copy the directory over a channel you trust, and remove it here afterwards.
A certificate lasts ${LEAF_DAYS} days unless --days says otherwise, and never longer than the issuer, which lasts ${ISSUER_DAYS} days.`

/** Adds the commands of the authority to the program. Their failures are LoghopErrors, for the caller to print. */
export function registerPki(program: Command): void {
  const pki = program.command('pki').description('the certificate authority: who may send, and who may receive')
  const initialising = pki
    .command('init')
    .description('make a certificate authority')
    .requiredOption('--directory <dir>', 'where the authority will live; must not exist yet')
    .requiredOption('--name <text>', 'its name, as certificates show it')
  passphraseOptions(initialising).addHelpText('after', INIT_EXAMPLE).action(init)
  pki
    .command('issue')
    .description('make a key and a certificate for one host')
    .argument('<name>', 'full name of the host; its messages are filed under it')
    .requiredOption('--role <role>', 'agent (sends) or relay (receives, and may send on)')
    .option('--san <dns-or-ip>', 'another name or address of the host; may be repeated', collect, [] as string[])
    .option(
      '--speaks-for <pattern>',
      'names whose messages it may pass on: a name, *.domain or *; may be repeated',
      collect,
      [] as string[],
    )
    .option('--days <n>', `days until it expires, 1 to ${LEAF_DAYS_LIMIT} (default: ${LEAF_DAYS})`, wholeNumber)
    .option('--life <time>', 'the same as a time, such as 12h; 10s at least', duration)
    .requiredOption('--directory <dir>', 'the authority, as made by "pki init"')
    .requiredOption('--out <dir>', 'where to put the identity; must not exist yet')
    .addHelpText('after', ISSUE_EXAMPLE)
    .action(acting(issue))
  registerPkiServe(pki)
  registerInvite(pki)
  registerList(pki)
  registerRevoke(pki)
  registerRotate(pki)
  registerPkiExport(pki)
}
