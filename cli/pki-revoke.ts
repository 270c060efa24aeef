import type { Command } from 'commander'
import { errnoOf, LoghopError } from '../core/base/errors.ts'
import { nodeFiles, replaceFile } from '../core/base/files.ts'
import { REVOCATION_REASONS } from '../pki/acts.ts'
import { acting, actingAlone, directoryOption, print, whoActs } from './pki-options.ts'

async function revoke(what: string, flags: { directory: string; reason: string }): Promise<void> {
  const { Authority } = await import('../pki/authority.ts')
  const revocation = await import('../pki/revocation.ts')
  const authority = Authority.open(flags.directory, { by: whoActs() })
  const { name, kind, serials, left } = await authority.act((session) => revocation.revoke(session, what, flags.reason))
  const certificates = `${serials.length === 1 ? 'certificate' : 'certificates'} ${serials.join(', ')}`
  if (kind === 'pattern') {
    return print(
      [
        `Revoked ${name} (${flags.reason}): its invitations are void. Who has joined by them keeps the certificate: revoke those by their names`,
        `To invite by it again: loghop pki reset '${name}', then invite`,
      ],
      flags.directory,
    )
  }
  if (kind === 'server') {
    return print(
      [
        `Revoked ${certificates} of the authority's own server, ${name} (${flags.reason})`,
        'Next: nothing to do while "loghop pki serve" runs, it makes a new key within 10 seconds; otherwise start it',
      ],
      flags.directory,
    )
  }
  print(
    [
      `Revoked ${name} (${flags.reason}): ${serials.length === 0 ? 'it has no certificate, its name is banned' : certificates}`,
      ...(left.length === 0 ? [] : [`Still valid: ${left.join(', ')}. To revoke all: loghop pki revoke ${name}`]),
      'The lists are signed; relays that fetch them refuse it within seconds.',
      `If it may come back: loghop pki reset ${name}, then invite it again`,
    ],
    flags.directory,
  )
}

async function reset(name: string, flags: { directory: string }): Promise<void> {
  const { Authority } = await import('../pki/authority.ts')
  const revocation = await import('../pki/revocation.ts')
  const authority = Authority.open(flags.directory, { by: whoActs() })
  const { inviteCommand } = await import('../pki/state.ts')
  const found = await authority.act((session) => revocation.reset(session, name))
  print(
    [`Reset ${found}: it may be invited again; what was revoked stays revoked`, `Next: ${inviteCommand(authority.state, found)}`],
    flags.directory,
  )
}

async function crl(flags: { directory: string; out?: string }): Promise<void> {
  const { Authority } = await import('../pki/authority.ts')
  const { refreshLists } = await import('../pki/revocation.ts')
  const { listPem } = await import('../core/identity/revocation.ts')
  const { readRevocationList } = await import('../pki/crl.ts')
  const { crlFile } = await import('../pki/directory.ts')
  const authority = Authority.open(flags.directory, { by: whoActs() })
  await authority.act((session) => refreshLists(session, true))
  const lists = authority.revocationLists()
  print(
    lists.map(({ issuer, der }) => {
      const { serials, number, nextUpdate } = readRevocationList(der)
      const count = `${serials.size} revoked`
      return `${authority.directory.file(crlFile(issuer))}: ${count}, number ${number}, next update ${nextUpdate.toISOString()}`
    }),
  )
  if (flags.out === undefined) return
  try {
    replaceFile(nodeFiles, flags.out, Buffer.from(lists.map(({ der }) => listPem(der)).join('')), 0o644)
  } catch (error) {
    throw new LoghopError('PKI_WRITE', `Cannot write ${flags.out}: ${errnoOf(error) ?? 'unexpected error'}`, 'Correct --out', {
      cause: error,
    })
  }
  print([`${flags.out}: all of them, PEM`])
}

export function registerRevoke(pki: Command): void {
  const revoking = pki
    .command('revoke')
    .description('revoke a host, and ban its name until "pki reset"')
    .argument(
      '<name-or-serial>',
      'full name of the host: all its certificates; a serial: that one, and all that were renewed from it; a pattern: invitations for it',
    )
    .option('--reason <reason>', REVOCATION_REASONS.join(', '), 'unspecified')
  directoryOption(revoking)
    .addHelpText(
      'after',
      `
Example:
  $ loghop pki revoke web01.site1.example.com --reason keyCompromise --directory /var/lib/loghop-ca

The revocation lists are signed at once. A banned name gets no certificate, by whatever invitation; open invitations for it are void for ever.`,
    )
    .action(acting(revoke))
  const resetting = pki
    .command('reset')
    .description('let a revoked host be invited again; what was revoked stays revoked')
    .argument('<name>', 'full name of the host')
  directoryOption(resetting)
    .addHelpText('after', '\nExample:\n  $ loghop pki reset web01.site1.example.com --directory /var/lib/loghop-ca')
    .action(acting(reset))
  const listing = pki
    .command('crl')
    .description('sign the revocation lists anew, and say where they are')
    .option('--out <file>', 'write all of them there, PEM, as crl.pem of an identity')
  directoryOption(listing)
    .addHelpText('after', '\nExample:\n  $ loghop pki crl --out /var/lib/loghop/identity/crl.pem --directory /var/lib/loghop-ca')
    .action(actingAlone(crl))
}
