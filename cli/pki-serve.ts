import type { Command } from 'commander'
import { parseAddress } from '../core/base/address.ts'
import { LoghopError } from '../core/base/errors.ts'
import { createLog, LOG_LEVELS, type LogFormat, type LogLevel } from '../core/base/log.ts'
import { untilStopped } from '../core/daemon/lifecycle.ts'
import { actingAlone, collect } from './pki-options.ts'

// The authority itself is loaded when the command runs: the daemons start without it.

const STOP_TIMEOUT_MS = 10_000

const EXAMPLE = `
Examples:
  $ loghop pki serve --directory /var/lib/loghop-ca --listen ca.example.com:8443
  $ loghop pki serve --directory /var/lib/loghop-ca --listen 0.0.0.0:8443 --name ca.example.com --name 192.0.2.7

Speaks EST (RFC 7030) over TLS: hosts enrol with an invitation ("loghop pki invite") and renew with their certificate; /crl holds the
revocation lists. Its own certificate, for every --name and the address it listens on, is made and renewed by itself. The first name goes into tokens.
SIGHUP looks after certificate and lists at once, which otherwise happens every 10 seconds.`

interface ServeFlags {
  directory: string
  listen: string
  name: string[]
  logLevel: string
  logFormat: string
}

function usage(sentence: string, remedy: string): LoghopError {
  return new LoghopError('USAGE', sentence, remedy)
}

function choice<Value extends string>(option: string, text: string, values: readonly Value[]): Value {
  const value = values.find((candidate) => candidate === text)
  if (value === undefined)
    throw usage(`Cannot use ${option} ${JSON.stringify(text)}: it is none of ${values.join(', ')}`, `Correct ${option}`)
  return value
}

async function serve(flags: ServeFlags): Promise<void> {
  const listen = parseAddress(flags.listen, 0)
  if (listen.kind === 'malformed') {
    throw usage(
      `Cannot listen on ${JSON.stringify(flags.listen)}: ${listen.reason}`,
      'Give --listen HOST:PORT, such as ca.example.com:8443',
    )
  }
  const level = choice<LogLevel>('--log-level', flags.logLevel, LOG_LEVELS)
  const format = choice<LogFormat>('--log-format', flags.logFormat, ['text', 'json'])
  process.umask(0o077)
  // Whoever read our log is gone: that must not end what it told of.
  process.stderr.on('error', () => undefined)
  const log = createLog(level, format, (line) => process.stderr.write(line))
  const { startServing } = await import('../pki/serve.ts')
  const { Authority } = await import('../pki/authority.ts')
  await untilStopped(
    async () => startServing(Authority.open(flags.directory, { by: 'serve' }), { listen: listen.value, names: flags.name }, log),
    STOP_TIMEOUT_MS,
    log,
  )
}

/** Adds `serve` to `pki`. */
export function registerPkiServe(pki: Command): void {
  pki
    .command('serve')
    .description('enrol and renew hosts, and hand out revocation lists, until SIGTERM or SIGINT')
    .requiredOption('--directory <dir>', 'the authority, as made by "pki init"')
    .requiredOption('--listen <host:port>', 'where to listen; 0.0.0.0 or [::] for every interface')
    .option('--name <dns-or-ip>', 'a name or address under which hosts dial this server; may be repeated', collect, [] as string[])
    .option('--log-level <level>', LOG_LEVELS.join(', '), 'info')
    .option('--log-format <format>', 'text or json', 'text')
    .addHelpText('after', EXAMPLE)
    .action(actingAlone(serve))
}
