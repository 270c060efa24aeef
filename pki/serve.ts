import { X509Certificate } from 'node:crypto'
import { createServer } from 'node:net'
import { type Address, formatAddress } from '../core/base/address.ts'
import { systemClock } from '../core/base/clock.ts'
import { errnoOf, explain, LoghopError } from '../core/base/errors.ts'
import type { Log } from '../core/base/log.ts'
import type { Running } from '../core/daemon/lifecycle.ts'
import { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import type { TlsIdentity } from '../core/transport/tls-policy.ts'
import { presentedIdentity } from './est-identity.ts'
import { EstRoutes } from './est-routes.ts'
import { EstServer } from './est-server.ts'
import type { AuthorityService } from './service.ts'

// A `pki rotate` beside this shows in new handshakes after this time; looking costs milliseconds.
const UPKEEP_MS = 10_000
const PROBLEM_AGAIN_MS = 24 * 3_600_000
const WILDCARDS: readonly string[] = ['0.0.0.0', '::']

export interface ServeOptions {
  readonly listen: Address
  /** Further names and addresses under which the server is dialled; the first is the one that tokens carry. */
  readonly names: readonly string[]
}

/** Every name of the server's certificate. @throws {LoghopError} USAGE when it would have none */
export function serverNames({ listen, names }: ServeOptions): readonly string[] {
  const all = [...new Set([...names, ...(WILDCARDS.includes(listen.host) ? [] : [listen.host])])]
  if (all.length > 0) return all
  const sentence = `Cannot serve on ${formatAddress(listen)}: every interface is no name that a host could dial`
  throw new LoghopError('USAGE', sentence, 'Give the name under which hosts reach this machine: --name ca.example.com')
}

function certificateEnds(identity: TlsIdentity): string {
  return new X509Certificate(identity.cert).validToDate.toISOString()
}

/** Before anything is issued: an authority that serves already must not find its certificate replaced by one for other names. */
function requireBindable({ host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen({ host, port }, () => probe.close(() => resolve()))
  })
}

async function listening<T>(address: Address, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const sentence = `Cannot listen on ${formatAddress(address)}: ${errnoOf(error) ?? 'unexpected error'}`
    const remedy =
      errnoOf(error) === 'EADDRINUSE'
        ? 'Another program listens there, perhaps this authority already ("ss -ltnp" names it): end it, or choose a free port with --listen'
        : 'Choose an address of this host and a free port that this user may bind with --listen'
    throw new LoghopError('PKI_LISTEN', sentence, remedy, { cause: error })
  }
}

/** Warns of what a person should mend: at once, and each day while it lasts. */
function problemTeller(authority: AuthorityService, log: Log): () => void {
  let told = new Map<string, number>()
  return () => {
    const nowMs = systemClock.monotonicMs()
    const still = new Map<string, number>()
    for (const { sentence, remedy } of authority.problems()) {
      const lastMs = told.get(sentence)
      const isDue = lastMs === undefined || nowMs - lastMs >= PROBLEM_AGAIN_MS
      if (isDue) log.warn('authority-problem', sentence, { remedy })
      still.set(sentence, isDue ? nowMs : lastMs)
    }
    told = still
  }
}

/**
 * Serves enrolment, renewal and revocation lists, and keeps its own certificate and the lists fresh.
 * @throws {LoghopError} USAGE, PKI_LISTEN, and what the authority throws; then nothing listens
 */
export async function startServing(authority: AuthorityService, options: ServeOptions, log: Log): Promise<Running> {
  const names = serverNames(options)
  await listening(options.listen, () => requireBindable(options.listen))
  await authority.refreshRevocationLists()
  let identity = await presentedIdentity(authority, names)
  const server = new EstServer(identity, new EstRoutes(authority, log, systemClock), log, systemClock)
  const port = await listening(options.listen, () => server.listen(options.listen.host, options.listen.port))
  authority.recordAddress(formatAddress({ host: names[0]!, port }))
  const fields = { names: names.join(','), certificate_until: certificateEnds(identity) }
  log.info('started', `Authority serves on ${formatAddress({ host: options.listen.host, port })}`, fields)

  const repeats = new RepeatGuard(systemClock)
  const tellProblems = problemTeller(authority, log)
  let timer: NodeJS.Timeout | undefined
  let underWay: Promise<void> | undefined
  const upkeep = async (): Promise<void> => {
    clearTimeout(timer)
    try {
      await authority.refreshRevocationLists()
      tellProblems()
      const fresh = await presentedIdentity(authority, names)
      if (fresh.cert !== identity.cert || fresh.key !== identity.key || fresh.ca !== identity.ca) {
        identity = fresh
        server.use(identity)
        log.info('certificate-replaced', 'New connections are shown a new certificate of this server', {
          certificate_until: certificateEnds(identity),
        })
      }
    } catch (error) {
      // What is served stays as it is, and is looked at again.
      const text = explain(error)
      if (repeats.repeated(text) !== undefined)
        log.error('upkeep-failed', `Cannot keep certificate and revocation lists fresh: ${text}`, {})
    }
    timer = setTimeout(again, UPKEEP_MS)
  }
  const again = (): void => {
    underWay ??= upkeep().finally(() => {
      underWay = undefined
    })
  }
  timer = setTimeout(again, UPKEEP_MS)
  tellProblems()

  return {
    async stop(deadline) {
      clearTimeout(timer)
      await server.close(deadline)
      await underWay
      clearTimeout(timer)
      log.info('stopped', 'Stopped in order', {})
    },
    reload: async () => {
      again()
      await underWay
    },
    describe: () =>
      `Serves on ${formatAddress({ host: options.listen.host, port })} as ${names.join(', ')}; certificate until ${certificateEnds(identity)}`,
    // Upkeep takes the authority's lock and reads its journal every ten seconds; one that does not come back is not healthy.
    healthy: async () => {
      await underWay
    },
  }
}
