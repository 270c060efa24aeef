import type { Command } from 'commander'
import { formatDuration } from '../core/base/quantities.ts'
import { dayOf } from '../core/transport/certificate.ts'
import { LEAF_DAYS } from '../pki/policy.ts'
import { acting, collect, directoryOption, duration, print, whoActs, wholeNumber } from './pki-options.ts'

const HOUR_MS = 3_600_000

interface InviteFlags {
  role: string
  speaksFor: string[]
  san: string[]
  rsa?: boolean
  ttl: number
  days?: number
  life?: number
  uses: number
  directory: string
  server?: string
}

async function invite(name: string, flags: InviteFlags): Promise<void> {
  const { Authority } = await import('../pki/authority.ts')
  const invitations = await import('../pki/invitations.ts')
  const { role, speaksFor, san, rsa = false, ttl, days, life, uses, server } = flags
  const authority = Authority.open(flags.directory, { by: whoActs() })
  const order = { name, role, speaksFor, san, rsa, ttlMs: ttl, days, lifeMs: life, uses, server }
  const invited = await authority.act((session) => invitations.invite(session, order))
  const times = uses === 1 ? 'once' : `${uses} times`
  print([
    `Invited ${invited.name} as ${invited.role}; the token below works ${times}, until ${dayOf(invited.expires)}, at ${invited.server}`,
    `Next, on ${uses === 1 ? invited.name : 'each host'}: loghop ${invited.role} join TOKEN`,
    'Whoever has the token can join in its place: pass it on where nobody else reads.',
    invited.token,
  ])
}

const EXAMPLE = `
Examples:
  $ loghop pki invite web01.site1.example.com --role agent --directory /var/lib/loghop-ca --server ca.example.com:8443
  $ loghop pki invite relay.site1.example.com --role relay --speaks-for '*.site1.example.com' --san 192.0.2.7 --directory /var/lib/loghop-ca
  $ loghop pki invite '*.site1.example.com' --role agent --uses 50 --ttl 1d --directory /var/lib/loghop-ca

The last line of the output is the token alone. It holds the server's address, the name, a secret that works as often as --uses says, and the digest of the root's key,
by which the host knows the server. Where "loghop pki serve" has run, --server may be left out. A pattern lets in only hosts that have no certificate yet.`

export function registerInvite(pki: Command): void {
  const command = pki
    .command('invite')
    .description('make a token with which a host gets its certificate by itself')
    .argument('<name>', 'full name of the host; with --uses, a pattern such as *.domain')
    .requiredOption('--role <role>', 'agent (sends) or relay (receives, and may send on)')
    .option('--speaks-for <pattern>', 'names whose messages it may pass on; may be repeated', collect, [] as string[])
    .option('--san <dns-or-ip>', 'another name or address of the host; may be repeated', collect, [] as string[])
    .option('--rsa', 'also one certificate for an RSA key, for peers that know no elliptic curves')
    .option('--ttl <time>', `how long the token works (default: ${formatDuration(HOUR_MS)})`, duration, HOUR_MS)
    .option('--days <n>', `days that each certificate lasts, renewals too (default: ${LEAF_DAYS})`, wholeNumber)
    .option('--life <time>', 'the same as a time, such as 12h', duration)
    .option('--uses <n>', 'how many hosts may use it (default: 1)', wholeNumber, 1)
    .option('--server <host:port>', 'where hosts reach "loghop pki serve"')
  directoryOption(command).addHelpText('after', EXAMPLE).action(acting(invite))
}
