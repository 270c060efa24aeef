import type { Command } from 'commander'
import { printable } from '../core/base/printable.ts'
import { dayOf } from '../core/transport/certificate.ts'
import { acting, actingAlone, directoryOption, print, whoActs } from './pki-options.ts'

// Enough to be told apart, and to be named in other commands.
const SERIAL_DIGITS = 16

function day(text: string | undefined): string {
  return text === undefined ? '-' : dayOf(new Date(text))
}

/** Columns as wide as their longest text. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

async function list(flags: { directory: string; json?: boolean }): Promise<void> {
  const { Authority } = await import('../pki/authority.ts')
  const { inventoryOf } = await import('../pki/inventory.ts')
  const authority = Authority.open(flags.directory, { by: whoActs() })
  const lines = inventoryOf(authority.view())
  if (flags.json === true) return print([JSON.stringify({ hosts: lines, problems: authority.problems() })])
  const rows = lines.map(({ name, role, serial, issued, expires, seen, state }) => {
    return [name, role, serial?.slice(0, SERIAL_DIGITS) ?? '-', day(issued), day(expires), day(seen), state]
  })
  print(
    lines.length === 0
      ? ['No host has a certificate or an invitation.', 'Next: loghop pki invite NAME --role agent']
      : table([['NAME', 'ROLE', 'SERIAL', 'ISSUED', 'EXPIRES', 'LAST SEEN', 'STATE'], ...rows]),
    flags.directory,
  )
  for (const { sentence, remedy } of authority.problems()) print(['', sentence, `  ${remedy}`], flags.directory)
}

async function show(what: string, flags: { directory: string; json?: boolean }): Promise<void> {
  const { Authority } = await import('../pki/authority.ts')
  const { findHost } = await import('../pki/revocation.ts')
  const { actText, inventoryOf, isOpen, stateOfCertificate } = await import('../pki/inventory.ts')
  const { historyOf } = await import('../pki/history.ts')
  const view = Authority.open(flags.directory, { by: whoActs() }).view()
  const { state, nowMs } = view
  const { name, serial } = findHost(state, what)
  const all = [...state.certificates.values()].filter(
    (issued) => issued.name === name && (serial === undefined || issued.serial === serial),
  )
  const host = state.hosts.get(name)
  const invitations = [...state.invitations.values()].filter((one) => one.name === name && isOpen(view, one, nowMs))
  const serials = new Set(all.map((issued) => issued.serial))
  const history = historyOf(flags.directory).flatMap((act) => {
    const text = actText(act, name, serials)
    return text === undefined ? [] : [{ at: act.at, by: act.by, text }]
  })
  const certificates = all.map((issued) => ({ ...issued, state: stateOfCertificate(issued, nowMs) }))
  if (flags.json === true) {
    const open = invitations.map(({ id, role, uses, issued, expires }) => ({ id, role, uses, used: issued.length, expires }))
    return print([JSON.stringify({ name, banned: host?.banned, seen: host?.seen, certificates, invitations: open, history })])
  }
  const line = inventoryOf(view).find((one) => one.name === name)
  print([
    `${name}: ${line?.state ?? 'no certificate'}`,
    ...certificates.flatMap((issued) => [
      `  ${issued.serial}  ${issued.state}`,
      `    role         ${issued.role}${issued.san.length > 0 ? `, also ${issued.san.join(', ')}` : ''}`,
      ...(issued.speaksFor.length > 0 ? [`    speaks for   ${issued.speaksFor.join(', ')}`] : []),
      `    valid        ${day(issued.notBefore)} to ${day(issued.notAfter)}, issuer ${issued.issuer}, ${issued.keyKind} key`,
      `    issued       ${day(issued.at)} by ${printable(issued.by)} (${issued.via})`,
      ...(issued.revoked === undefined ? [] : [`    revoked      ${day(issued.revoked.at)} (${issued.revoked.reason})`]),
      `    certificate  sha-256 ${issued.sha256}`,
      `    public key   spki-sha256:${issued.spki}`,
    ]),
    ...invitations.map(({ id, uses, issued, expires }) => `  invitation ${id}: ${issued.length} of ${uses} used, until ${day(expires)}`),
    '  history',
    ...history.map(({ at, by, text }) => `    ${day(at)}  ${printable(by)}  ${printable(text, 500)}`),
  ])
}

export function registerList(pki: Command): void {
  const listing = pki
    .command('list')
    .description('every host: role, serial, issued, expires, last seen, state')
    .option('--json', 'for scripts')
  directoryOption(listing)
    .addHelpText(
      'after',
      `
Example:
  $ loghop pki list --directory /var/lib/loghop-ca

States: valid; overdue (it should have renewed by now); grace (expired, may still renew by its key); expired; revoked; reset (may be invited again); invited.`,
    )
    .action(actingAlone(list))
  const showing = pki
    .command('show')
    .description('all about one host: its certificates, invitations, and what was done when by whom')
    .argument('<name-or-serial>', 'full name of the host, or a serial (8 digits of its beginning are enough)')
    .option('--json', 'for scripts')
  directoryOption(showing)
    .addHelpText('after', '\nExample:\n  $ loghop pki show web01.site1.example.com --directory /var/lib/loghop-ca')
    .action(acting(show))
}
