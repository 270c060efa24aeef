// Whole programs, OpenSSL in them included, whose wall clocks are wrong or jump: libfaketime stands between them and the kernel. Intervals are not touched.

import * as fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { AGENT_NAME, RELAY_NAME } from '../support/chain.ts'
import { type Finished, loghop } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { withHooks } from '../support/hooked.ts'
import { disorder, everyNumber, filedNumbers, missing, total } from '../support/numbered.ts'
import { startSenders } from '../support/senders.ts'
import { Site } from '../support/site.ts'

const LIBRARY = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((file) => fs.existsSync(file))!
const MINUTE = 60
const DAY = 86_400
/** Looked at every five seconds. */
const LIFE_MS = 600_000

type Who = 'authority' | 'relay' | 'agent'

class ClockedSite {
  readonly site: Site
  readonly #t: ExecutionContext

  private constructor(t: ExecutionContext, site: Site) {
    this.#t = t
    this.site = site
  }

  static async make(t: ExecutionContext): Promise<ClockedSite> {
    const clocked = new ClockedSite(t, await Site.make(t))
    for (const who of ['authority', 'relay', 'agent'] as const) clocked.jump(who, 0)
    await clocked.site.est.server.end('SIGTERM')
    await clocked.as('authority', () => clocked.site.est.serve())
    return clocked
  }

  /** In seconds from the true time. */
  jump(who: Who, offSeconds: number): void {
    fs.writeFileSync(`${this.#clock(who)}.new`, `${offSeconds < 0 ? '' : '+'}${offSeconds}s\n`)
    fs.renameSync(`${this.#clock(who)}.new`, this.#clock(who))
  }

  all(offSeconds: number): void {
    for (const who of ['authority', 'relay', 'agent'] as const) this.jump(who, offSeconds)
  }

  /** Started with that one's clock. @param start must spawn before it first waits */
  as<T>(who: Who, start: () => T): T {
    const faketime = {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#clock(who),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
    return withHooks([], start, faketime)
  }

  async join(role: 'relay' | 'agent', life = `${LIFE_MS / 1000}s`): Promise<void> {
    const { est } = this.site
    const name = role === 'relay' ? RELAY_NAME : AGENT_NAME
    const order = ['--role', role, '--life', life, '--server', `localhost:${est.port}`, '--directory', est.authority]
    const san = role === 'relay' ? ['--san', '127.0.0.1'] : []
    const invited = await this.as('authority', () => loghop('pki', 'invite', name, ...order, ...san))
    this.#t.is(invited.code, 0, invited.stderr)
    const joined: Finished = await this.as(role, () => this.site.join(role, invited.stdout.trimEnd().split('\n').at(-1)!))
    this.#t.is(joined.code, 0, joined.stderr)
  }

  async start(): Promise<void> {
    await this.as('relay', () => this.site.startRelay())
    await this.as('agent', () => this.site.startAgent())
  }

  async sendAndFind(count: number): Promise<void> {
    const before = this.filed
    await this.send(count)
    await this.found(before + count)
  }

  async send(count: number): Promise<void> {
    await startSenders(this.#t, this.site, { senders: 1, count }).done
  }

  async found(count: number): Promise<void> {
    await eventually(
      `${count} lines`,
      () => this.filed >= count,
      () => this.said,
    )
    this.#t.is(this.filed, count)
  }

  get filed(): number {
    return fs.existsSync(this.site.file) ? total(filedNumbers(this.site.file)) : 0
  }

  get said(): string {
    return `${this.site.agent.said}\n${this.site.relay.said}\n${this.site.est.server.said}`
  }

  #clock(who: Who): string {
    return this.site.place(`${who}.clock`)
  }
}

for (const [relaySeconds, agentSeconds] of [
  [-299, 299],
  [299, -299],
] as const) {
  test.serial(
    `relay ${relaySeconds} s and agent ${agentSeconds} s off the authority: they join, talk, and take a revocation`,
    async (t) => {
      t.timeout(300_000)
      const clocked = await ClockedSite.make(t)
      const { site } = clocked
      clocked.jump('relay', relaySeconds)
      clocked.jump('agent', agentSeconds)
      await clocked.join('relay', '30d')
      await clocked.join('agent', '30d')
      await clocked.start()
      await clocked.sendAndFind(10)
      await site.revoke(AGENT_NAME)
      t.regex(await site.relay.event('peer-cut'), /Cut the connection of web01\.example\.com .*: its certificate was revoked on/)
      t.regex(await site.agent.event('relay-failed'), /refuses our certificate: revoked/)
      t.notRegex(clocked.said, / identity-(?:list-late|not-yet-valid|expired)/)
    },
  )
}

test.serial(
  'time passes for all: renewal at its time, 29 days after the end by proof of the key, 31 days after it not without an invitation',
  async (t) => {
    t.timeout(600_000)
    const clocked = await ClockedSite.make(t)
    const { site } = clocked
    await clocked.join('relay')
    await clocked.join('agent')
    await clocked.start()
    const daemons = () => [site.relay, site.agent]
    await clocked.sendAndFind(10)

    let off = 8 * MINUTE
    clocked.all(off)
    for (const daemon of daemons()) await daemon.event('identity-renewed')
    await clocked.sendAndFind(10)

    off += 10 * MINUTE + 29 * DAY
    let marks = daemons().map(({ mark }) => mark)
    clocked.all(off)
    for (const [index, daemon] of daemons().entries()) {
      await daemon.event('identity-renewed', marks[index])
    }
    await clocked.sendAndFind(10)

    off += 10 * MINUTE + 31 * DAY
    marks = daemons().map(({ mark }) => mark)
    const issued = site.est.acts('issue').filter(({ role }) => role !== 'authority').length
    clocked.all(off)
    for (const [index, daemon] of daemons().entries()) {
      t.regex(
        await daemon.waitFor(/ renewal-failed: .*grace/, marks[index]),
        /it expired on \S+, and the 30 days of grace are over.*loghop pki invite/,
      )
    }
    // Whoever is connected stays so; who comes anew is refused, and what is sent then waits.
    await site.relay.end('SIGTERM')
    await clocked.as('relay', () => site.startRelay())
    await clocked.send(10)
    t.is(site.est.acts('issue').filter(({ role }) => role !== 'authority').length, issued)
    await clocked.join('relay')
    await clocked.join('agent')
    for (const daemon of daemons()) daemon.signal('SIGHUP')
    await clocked.found(40)
  },
)

for (const who of ['agent', 'relay'] as const) {
  test.serial(`the clock of the ${who} jumps a year ahead and back under load: it says so, nothing stalls, nothing is lost`, async (t) => {
    t.timeout(300_000)
    const clocked = await ClockedSite.make(t)
    const { site } = clocked
    await clocked.join('relay')
    await clocked.join('agent')
    await clocked.start()
    const senders = startSenders(t, site, { senders: 1, rate: 500 })
    const goesOn = async (): Promise<void> => {
      const before = clocked.filed
      await eventually(
        '500 more lines',
        () => clocked.filed > before + 500,
        () => clocked.said,
      )
    }
    await goesOn()
    const daemon = site[who]
    clocked.jump(who, 365 * DAY)
    t.regex(await daemon.event('identity-expired'), /error identity-expired: /)
    await daemon.event('renewal-failed')
    await goesOn()
    const mark = daemon.mark
    clocked.jump(who, 0)
    await daemon.event('authority-answers', mark)
    await site.relay.end('SIGTERM')
    await clocked.as('relay', () => site.startRelay())
    await goesOn()
    senders.stop()
    const wanted = everyNumber((await senders.done).map(({ sent }) => sent))
    await clocked.found(total(wanted))
    const filed = filedNumbers(site.file)
    t.is(disorder(filed), undefined)
    t.is(missing(wanted, filed), undefined)
    const { code, stdout } = await loghop(who, 'status', '--config', site.place(`${who}.yaml`))
    t.is(code, 0, stdout)
  })
}
