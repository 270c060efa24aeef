// `loghop explain`: for a line, which rules of a configuration match and why, and where it would go.

import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import { isIP } from 'node:net'
import * as path from 'node:path'
import type { Command } from 'commander'
import { hostnameOf } from '../agent/agent.ts'
import type { AgentOptions } from '../agent/options.ts'
import { LoghopError } from '../core/base/errors.ts'
import { plainAddress } from '../core/base/networks.ts'
import { printable } from '../core/base/printable.ts'
import { shownFile } from '../core/destinations/file-plan.ts'
import { planRules } from '../core/destinations/rule-targets.ts'
import { minutesAtZone } from '../core/destinations/zones.ts'
import { explain } from '../core/pipeline/explain.ts'
import { MessageCompleter } from '../core/pipeline/message-completer.ts'
import { compileRule, type Rule } from '../core/pipeline/rules.ts'
import { markMessage } from '../core/syslog/mark.ts'
import { type MessageContext, messageContext } from '../core/syslog/message-fields.ts'
import { FACILITIES, PRI_DEFAULT, PRI_LIMIT, SEVERITIES } from '../core/syslog/priority.ts'
import { formatTimestamp } from '../core/syslog/timestamp.ts'
import { certificateFacts } from '../core/transport/certificate.ts'
import { normaliseName, UNVERIFIED } from '../core/transport/names.ts'
import { cursorOf, labelOf } from '../relay/destinations.ts'
import type { RelayOptions } from '../relay/options.ts'
import { loadEither } from './spool-config.ts'

const LINE_LIMIT_BYTES = 64 << 10
const INPUT_LIMIT_BYTES = 16 << 20
/** With or without what a shell's option would begin with. */
const MARK_TEXT = /^(-- )?MARK( --)?$/

interface ExplainFlags {
  readonly config: string
  readonly host?: string | undefined
  readonly sourceAddress?: string
  readonly priority?: string
  readonly json?: boolean
}

/** A place that a line may go to. */
interface Goal {
  readonly label: string
  /** Template of a file's path, and the zone of its times. */
  readonly file?: { readonly template: string; readonly zone: string | undefined } | undefined
}

interface Explained {
  readonly program: 'agent' | 'relay'
  readonly rules: readonly Rule[]
  readonly goals: readonly Goal[]
  /** What every line goes to besides. */
  readonly always: readonly string[]
}

export function registerExplain(program: Command): void {
  program
    .command('explain')
    .description('which rules of a configuration match a line, why, and where it would go')
    .argument('<line>', 'a message as a program or device sends it, or as it stands in a log; - reads lines from standard input')
    .option('-c, --config <file>', 'agent.yaml or relay.yaml', '/etc/loghop/agent.yaml')
    .option('--priority <facility.level>', 'where the line itself says none; default user.notice')
    .option('--host <name>', "name that the sender has proved; default this agent's own, or the one in the line")
    .option('--source-address <address>', 'from where the first relay got it, for source_address and $SOURCEIP')
    .option('--json', 'one JSON document for each line')
    .action((line: string, flags: ExplainFlags) => {
      const explained = explainedBy(flags.config)
      const host = flags.host === undefined ? undefined : readHost(flags.host)
      const lines = line === '-' ? readLines() : [line]
      for (const [at, text] of lines.entries()) {
        const found = explainLine(text, explained, { ...flags, host })
        if (flags.json === true) process.stdout.write(`${JSON.stringify(found)}\n`)
        else process.stdout.write(`${at === 0 ? '' : '\n'}${shownLines(found).join('\n')}\n`)
      }
    })
}

function explainedBy(config: string): Explained & { readonly hostname: string } {
  const either = loadEither(config)
  return either.program === 'agent' ? ofAgent(either.options) : ofRelay(either.options)
}

function ofAgent(options: AgentOptions): Explained & { readonly hostname: string } {
  const always = [`the relays (${options.relays.map(({ address }) => `${address.host}:${address.port}`).join(', ')}), as everything does`]
  return { program: 'agent', ...ruled(options.rules), always, hostname: provedName(options) }
}

/** Under which it sends: its certificate's, where this user may read that. */
function provedName(options: AgentOptions): string {
  try {
    const { names } = certificateFacts(new X509Certificate(fs.readFileSync(path.join(options.identity, 'cert.pem'))))
    return names.map(normaliseName).find((name) => name !== undefined) ?? hostnameOf(options)
  } catch {
    return hostnameOf(options)
  }
}

/** Its destinations choose as rules do, each for itself; a rule's `stop` does not reach them. */
function ofRelay(options: RelayOptions): Explained & { readonly hostname: string } {
  const planned = ruled(options.rules)
  const listed = options.destinations.map((destination, at) => {
    const file = 'files' in destination ? { template: destination.files, zone: destination.zone } : undefined
    // Not as they come: a destination has a key `program` too.
    const { select, when } = destination
    const rule = compileRule({ name: `destinations[${at}]`, select, when }, at + 1, [at])
    return { goal: { label: labelOf(destination), file }, rule, name: cursorOf(destination) }
  })
  const shifted = planned.rules.map((rule) => ({ ...rule, destinations: rule.destinations.map((number) => number + listed.length) }))
  return {
    program: 'relay',
    rules: [...listed.map(({ rule }) => rule), ...shifted],
    goals: [...listed.map(({ goal }) => goal), ...planned.goals],
    always: [],
    hostname: '',
  }
}

function ruled(options: AgentOptions['rules']): { rules: readonly Rule[]; goals: readonly Goal[] } {
  const { rules, targets } = planRules(options)
  const goals = targets.map((target): Goal => {
    const file = 'files' in target.options ? { template: target.options.files, zone: target.options.zone } : undefined
    return { label: target.label, file }
  })
  return { rules, goals }
}

interface Found {
  readonly message: string
  readonly rules: ReadonlyArray<{ name: string; verdict: string; reason: string; to: readonly string[] }>
  readonly goes_to: readonly string[]
  readonly note: string | undefined
}

/** @throws {LoghopError} USAGE */
function explainLine(text: string, { rules, goals, always, hostname }: ReturnType<typeof explainedBy>, flags: ExplainFlags): Found {
  const { bytes, host, note } = canonical(text, hostname, flags)
  const { sourceAddress: sourceIp = '' } = flags
  if (sourceIp !== '' && isIP(sourceIp) === 0)
    throw usage(`--source-address ${printable(sourceIp)} is no IP address`, 'Write it as 192.0.2.1 or 2001:db8::1')
  const context = messageContext({ host, sourceIp: plainAddress(sourceIp), receivedUs: Date.now() * 1000, localHost: hostname || host })
  const explanation = explain(rules, bytes, context)
  const nameOf = (number: number): string => shownGoal(goals[number]!, bytes, context)
  return {
    message: explanation.message,
    rules: explanation.rules.map(({ name, verdict, reason, destinations }) => ({ name, verdict, reason, to: destinations.map(nameOf) })),
    goes_to: [...explanation.destinations.map(nameOf), ...always],
    note,
  }
}

function shownGoal({ label, file }: Goal, bytes: Uint8Array, context: MessageContext): string {
  return file === undefined ? label : `file ${shownFile(file.template, bytes, context, minutesAtZone(file.zone))}`
}

function shownLines({ message, rules, goes_to: goal, note }: Found): string[] {
  return [
    printable(message),
    ...(note === undefined ? [] : [`  (${note})`]),
    ...rules.map(({ name, verdict, reason, to }) => `  ${name} ${verdict}: ${reason}${to.length === 0 ? '' : ` -> ${to.join(', ')}`}`),
    goal.length === 0 ? 'goes nowhere by this configuration' : `goes to ${goal.join('; ')}`,
  ]
}

/** The line as the daemon would have it, completed to RFC 5424. */
function canonical(text: string, hostname: string, flags: ExplainFlags): { bytes: Buffer; host: string; note: string | undefined } {
  const given = /^<(\d{1,3})>/.exec(text)
  if (given !== null && Number(given[1]) > PRI_LIMIT)
    throw usage(`the line begins with <${given[1]}>, which is no priority`, 'Write 8 times the facility plus the level, from 0 to 191')
  if (flags.priority === 'mark.info') {
    if (!MARK_TEXT.test(text)) throw usage('a mark says -- MARK -- and nothing else', 'Explain the line MARK, or give another --priority')
    const host = flags.host ?? (hostname === '' ? '-' : hostname)
    return { bytes: markMessage(formatTimestamp(Date.now() * 1000), host), host, note: undefined }
  }
  const priority = flags.priority === undefined ? undefined : readPriority(flags.priority)
  if (flags.priority !== undefined && priority === undefined)
    throw usage(`--priority ${printable(flags.priority)} is no facility and level`, 'Write it as mail.err')
  // As it stands in a file: time, host, and what the program said.
  const filed = /^(?:([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )|(\d{4}-\d\d-\d\dT\d\S+) )(\S+) (?=\S)/.exec(text)
  const isCanonical = /^<\d{1,3}>1 \S+ (\S+) /.exec(text)
  const host = flags.host ?? (hostname !== '' ? hostname : (isCanonical?.[1] ?? filed?.[3] ?? '-'))
  const rest =
    given === null ? `<${priority ?? PRI_DEFAULT}>${filed === null ? text : (filed[1] ?? '') + text.slice(filed[0].length)}` : text
  const parts: Buffer[] = []
  new MessageCompleter(host, LINE_LIMIT_BYTES).complete(Buffer.from(rest), Date.now() * 1000, 0, 0, {
    add: (bytes) => void parts.push(Buffer.from(bytes)),
  })
  const note =
    given === null && priority === undefined
      ? 'the line says no facility and level: taken as user.notice; --priority says another'
      : undefined
  const bytes = filed?.[2] === undefined ? parts[0]! : withTime(parts[0]!, filed[2])
  return { bytes, host, note }
}

function withTime(message: Buffer, time: string): Buffer {
  return Buffer.from(
    message.toString('latin1').replace(/^(<\d+>1 )\S+/, (_, head: string) => head + time),
    'latin1',
  )
}

/** A name that a certificate can prove, or `_unverified/` before one. @throws {LoghopError} USAGE */
function readHost(text: string): string {
  const isUnverified = text.startsWith(UNVERIFIED)
  const name = normaliseName(isUnverified ? text.slice(UNVERIFIED.length) : text)
  if (name === undefined)
    throw usage(
      `--host ${printable(JSON.stringify(text), 300)} is no host name, and no certificate could prove it`,
      `Write a name such as web01.example.com, or ${UNVERIFIED}NAME for a claim that was not proved`,
    )
  return isUnverified ? UNVERIFIED + name : name
}

/** `mail.err`, or undefined. */
function readPriority(text: string): number | undefined {
  const [facility, level, ...rest] = text.split('.')
  const at = [(FACILITIES as readonly string[]).indexOf(facility ?? ''), (SEVERITIES as readonly string[]).indexOf(level ?? '')]
  return rest.length > 0 || at.includes(-1) ? undefined : at[0]! * 8 + at[1]!
}

function readLines(): string[] {
  const text = fs.readFileSync(0, 'utf8')
  if (text.length > INPUT_LIMIT_BYTES) throw usage('standard input has over 16 MiB', 'Explain fewer lines at a time')
  return text.split('\n').filter((line) => line !== '')
}

function usage(what: string, remedy: string): LoghopError {
  return new LoghopError('USAGE', `Cannot explain: ${what}`, remedy)
}
