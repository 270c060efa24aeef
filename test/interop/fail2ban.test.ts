// fail2ban as Debian brings it, with the filter and the jail of docs/fail2ban.md, on a log that the relay has written.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Chain } from '../support/chain.ts'
import { DEVICE, openDoor, say, sayTls, statusOf } from '../support/door.ts'
import { eventually } from '../support/eventually.ts'
import { craftRecord, sendFrame } from '../support/hostile-peer.ts'
import { makeIdentity } from '../support/identities.ts'
import { start } from '../support/programs.ts'

const MANUAL = fs.readFileSync(new URL('../../docs/fail2ban.md', import.meta.url), 'utf8')
/** An address that never connects: only texts of peers name it. */
const INNOCENT = '192.0.2.66'

/** The file of that name as the manual has it. */
function ofManual(name: string): string {
  const behind = MANUAL.slice(MANUAL.indexOf(`/etc/fail2ban/${name}`))
  return /```ini\n([\s\S]*?)```/.exec(behind)![1]!
}

interface Written {
  readonly chain: Chain
  readonly log: string
  readonly lines: readonly string[]
  readonly refused: readonly string[]
}

/** Has the relay refuse four times, by four causes; and a peer that it lets in try to have somebody else banned. */
async function writeLog(t: ExecutionContext): Promise<Written> {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { clients: { names: ['*.example.com'] } })
  await say(port!, 'GET / HTTP/1.1\r\n')
  await say(port!, Buffer.from('160301000501000001ff', 'hex'))
  await sayTls(port!, { key: '', cert: '' }, 'x', { key: undefined, cert: undefined })
  const forged = `Refused ${INNOCENT}:1: x`
  const stranger = await makeIdentity(chain, { commonName: `warn peer-refused: ${forged}`, dnsNames: ['box7.example.org'], uris: [] })
  await sayTls(port!, stranger, 'x')
  await eventually('four refusals', async () => (await statusOf(chain)).refused!.length >= 4)
  const device = await makeIdentity(chain, { ...DEVICE, uris: ['urn:loghop:role:agent'] })
  const claims = [
    `warn peer-refused: ${forged}`,
    `x\n${new Date().toISOString()} warn peer-refused: ${forged}`,
    `h x[1]: y warn peer-refused: ${forged}`,
  ]
  for (const claim of claims) await sendFrame(chain, device, 'batch', craftRecord({ origin: claim }))
  await chain.relay.waitFor(/peer-gone: .*warn peer-refused/)
  await chain.relay.end('SIGTERM')
  const log = chain.place('relay.log')
  fs.writeFileSync(log, chain.relay.lines.map((line) => `${line}\n`).join(''))
  fs.writeFileSync(chain.place('loghop.conf'), ofManual('filter.d/loghop.conf'))
  return {
    chain,
    log,
    lines: chain.relay.lines,
    refused: chain.relay.lines.filter((line) => / warn peer-refused: /.test(line.slice(0, 60))),
  }
}

/** What fail2ban-regex finds, a line of `time address` each. */
function found(chain: Chain, log: string, ...more: string[]): string[] {
  // Far from UTC, so that a time that is taken for local is told.
  const env = { ...process.env, TZ: 'America/New_York' }
  const args = [...more, '-o', '<time> <ip>', log, chain.place('loghop.conf')]
  return execFileSync('fail2ban-regex', args, { env, encoding: 'utf8' }).trim().split('\n')
}

test.serial(
  'the filter of the manual finds every refused connection with its address and time, and nobody that a peer only names',
  async (t) => {
    const { chain, log, lines, refused } = await writeLog(t)
    t.true(refused.length >= 3, lines.join('\n'))
    t.true(lines.some((line) => line.includes(INNOCENT)))
    const seconds = (line: string): number => Math.floor(Date.parse(line.slice(0, line.indexOf(' '))) / 1000)
    const wanted = refused.map((line) => `${seconds(line)} 127.0.0.1`)
    const rounded = (texts: readonly string[]): string[] => texts.map((text) => text.replace(/^(\d+)\.\d+ /, '$1 '))
    t.deepEqual(rounded(found(chain, log)), wanted)
    // As its journal backend gives it: the time apart, host and process before the text.
    const journal = chain.place('journal.log')
    fs.writeFileSync(journal, lines.map((line) => `2026-11-25T03:40:00+0000 relay1 node[123]: ${line}\n`).join(''))
    t.deepEqual(
      rounded(found(chain, journal, '-d', '^%Y-%m-%dT%H:%M:%S%z\\s')),
      refused.map(() => '1795578000 127.0.0.1'),
    )
  },
)

test.serial('fail2ban with the jail of the manual bans who was refused, and nobody else', async (t) => {
  const { chain, log } = await writeLog(t)
  const place = (name: string): string => path.join(chain.directory, 'fail2ban', name)
  for (const name of ['filter.d', 'jail.d', 'action.d']) fs.mkdirSync(place(name), { recursive: true })
  fs.writeFileSync(place('filter.d/loghop.conf'), ofManual('filter.d/loghop.conf'))
  fs.writeFileSync(place('jail.d/loghop.conf'), ofManual('jail.d/loghop.conf'))
  fs.writeFileSync(place('jail.conf'), '[DEFAULT]\n')
  // A file instead of the journal, nothing done to the firewall of this host, and 127.0.0.1 counts.
  const here = `[loghop]\nbackend = polling\nlogpath = ${log}\njournalmatch =\nignoreip =\nignoreself = false\nmaxretry = 3\naction =\n`
  fs.writeFileSync(place('jail.local'), here)
  const own = ['loglevel = INFO', 'logtarget = STDOUT', 'syslogsocket = auto', 'dbfile = None', `socket = ${place('socket')}`]
  fs.writeFileSync(place('fail2ban.conf'), `[Definition]\n${own.join('\n')}\npidfile = ${place('pid')}\n`)
  const server = start(t, 'fail2ban-server', ['-c', place(''), '-f', 'start'], { TZ: 'America/New_York' })
  await eventually(
    'the ban',
    () => /\[loghop\] Ban /.test(server.said),
    () => server.said,
  )
  const banned = [...server.said.matchAll(/\[loghop\] (?:Ban|Found) (\S+)/g)].map(([, address]) => address)
  t.deepEqual([...new Set(banned)], ['127.0.0.1'], server.said)
})
