import type { Command } from 'commander'
import { LoghopError } from '../core/base/errors.ts'
import type { Authority } from '../pki/authority.ts'
import type { RotationStatus } from '../pki/rotation.ts'
import {
  actingAlone,
  directoryOption,
  PASSPHRASE_HELP,
  type PassphraseFlags,
  passphraseOptions,
  print,
  readPassphrase,
  whoActs,
} from './pki-options.ts'

interface RotateFlags extends PassphraseFlags {
  issuer?: boolean
  intermediate?: boolean
  root?: boolean
  status?: boolean
  retire?: boolean
  force?: boolean
  json?: boolean
  directory: string
}

const STEPS = ['issuer', 'root', 'status', 'retire'] as const
type Step = (typeof STEPS)[number]

function stepOf(flags: RotateFlags): Step {
  const wanted = STEPS.filter((step) => flags[step] === true || (step === 'issuer' && flags.intermediate === true))
  if (wanted.length !== 1) {
    const found = wanted.length === 0 ? 'no step was named' : `${wanted.map((step) => `--${step}`).join(' and ')} exclude each other`
    throw new LoghopError('USAGE', `Cannot rotate: ${found}`, 'Give one of --issuer, --root, --status, --retire')
  }
  if (flags.force === true && wanted[0] !== 'retire') {
    throw new LoghopError('USAGE', `Cannot force --${wanted[0]}: only --retire can be forced`, 'Leave out --force')
  }
  return wanted[0]!
}

async function printStatus(status: RotationStatus, isJson: boolean, directory: string): Promise<void> {
  const { missingText } = await import('../pki/rotation.ts')
  const { roots, issuer, old, live, missing, expired } = status
  if (isJson) return print([JSON.stringify(status)])
  if (old.length === 0)
    return print([
      `No rotation of the root is under way: root ${roots[0]}, issuer ${issuer}, ${live} live ${live === 1 ? 'host' : 'hosts'}`,
    ])
  print(
    [
      `Root ${old.join(', ')} awaits its end; root ${roots[0]} and issuer ${issuer} sign. ${live - missing.length} of ${live} live hosts are over.`,
      ...missing.map((host) => `  ${missingText(host)}`),
      ...(expired.length === 0
        ? []
        : [`Expired, could still renew before it ends, and has to join again after that: ${expired.join(', ')}`]),
      missing.length === 0 ? 'Next: loghop pki rotate --retire' : 'Next: wait until they have renewed, then loghop pki rotate --retire',
    ],
    directory,
  )
}

async function retire(authority: Authority, isForced: boolean): Promise<void> {
  const rotation = await import('../pki/rotation.ts')
  const { roots, missing, expired } = await authority.act((session) => rotation.retire(session, isForced))
  print([
    `Retired root ${roots.join(', ')}: bundles and chains hold the newest alone from now on`,
    ...(missing.length === 0 ? [] : ['Cut off until they join again:', ...missing.map((host) => `  ${rotation.missingText(host)}`)]),
    ...(expired.length === 0 ? [] : [`Expired before, these have to join again: ${expired.join(', ')}`]),
  ])
}

async function rotate(flags: RotateFlags): Promise<void> {
  const step = stepOf(flags)
  const { Authority } = await import('../pki/authority.ts')
  const rotation = await import('../pki/rotation.ts')
  const authority = Authority.open(flags.directory, { by: whoActs() })
  switch (step) {
    case 'status':
      return printStatus(rotation.rotationStatus(authority.view()), flags.json === true, flags.directory)
    case 'retire':
      return retire(authority, flags.force === true)
    case 'issuer': {
      const passphrase = await readPassphrase(flags, false)
      const { issuer } = await authority.act((session) => rotation.rotateIssuer(session, passphrase))
      return print([`Made issuer ${issuer}; it signs from now on. Hosts take it over as they renew, there is nothing to do.`])
    }
    case 'root': {
      const passphrase = await readPassphrase(flags, true)
      const { root, issuer } = await authority.act((session) => rotation.rotateRoot(session, passphrase))
      return print(
        [
          `Made root ${root}, signed by the one before as well, and issuer ${issuer}, which signs from now on`,
          passphrase === undefined
            ? `root-${root}.key.pem is NOT encrypted: keep it on a medium in a safe, then remove it here`
            : `root-${root}.key.pem is encrypted with the passphrase that was given`,
          'Hosts trust both roots as they renew; see who is missing: loghop pki rotate --status; then end the old one: --retire',
        ],
        flags.directory,
      )
    }
    default:
      return step satisfies never
  }
}

const EXAMPLE = `
Examples:
  $ loghop pki rotate --issuer --directory /var/lib/loghop-ca
  $ loghop pki rotate --root --passphrase-file /root/passphrase --directory /var/lib/loghop-ca
  $ loghop pki rotate --status --directory /var/lib/loghop-ca
  $ loghop pki rotate --retire --directory /var/lib/loghop-ca

A new root is trusted beside the old one, and signed by it: no host is cut off at any step. The old one can be retired once every live host has a
certificate from below the new one and has been seen trusting it. ${PASSPHRASE_HELP}`

export function registerRotate(pki: Command): void {
  const command = pki
    .command('rotate')
    .description('replace the issuing certificate or the root, step by step')
    .option('--issuer', 'make a new issuing certificate (it lasts a year)')
    .option('--intermediate', 'the same as --issuer')
    .option('--root', 'make a new root (10 years), and an issuer below it')
    .option('--status', 'say which hosts are missing before the old root can be retired')
    .option('--retire', 'end the old root')
    .option('--force', 'with --retire: also while hosts are missing, which are cut off')
    .option('--json', 'with --status: for scripts')
  passphraseOptions(directoryOption(command)).addHelpText('after', EXAMPLE).action(actingAlone(rotate))
}
