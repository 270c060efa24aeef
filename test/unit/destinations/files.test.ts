// The file destination across crashes: a real spool and real files in a folder of their own, and a process that ends wherever it stands.

// The default export is the one whose functions a test can replace.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import * as os from 'node:os'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../../core/base/clock.ts'
import { type Files, nodeFiles } from '../../../core/base/files.ts'
import type { Log } from '../../../core/base/log.ts'
import { Metrics } from '../../../core/base/metrics.ts'
import { FilePlanner } from '../../../core/destinations/file-plan.ts'
import { FilesDestination } from '../../../core/destinations/files.ts'
import { FileLines } from '../../../core/destinations/line-maker.ts'
import { SharedRecords } from '../../../core/destinations/shared-records.ts'
import { CODEC_PLAIN } from '../../../core/spool/batch.ts'
import { BATCH_HEADROOM_BYTES } from '../../../core/spool/constants.ts'
import { Spool } from '../../../core/spool/spool.ts'
import { Random, runSeed } from '../../support/random.ts'

const MODES = { file: 0o600, directory: 0o700 }
const LIMIT_MS = 15_000
const CURSOR = 'files-test'

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** node:fs until the process ends; from then on nothing happens any more and nothing answers. */
function mortalFiles(): { files: Files; isDead(): boolean; kill(): void } {
  let isDead = false
  const files = { ...nodeFiles }
  for (const name of Object.keys(nodeFiles) as Array<keyof Files>) {
    const call = nodeFiles[name] as (...all: unknown[]) => unknown
    Object.assign(files, {
      [name]: (...all: unknown[]) => {
        const isLater = name === 'syncData' || name.endsWith('Later')
        if (isDead && isLater) return new Promise(() => undefined)
        if (isDead) throw Object.assign(new Error('the process is gone'), { code: 'EIO' })
        const result = call(...all)
        if (!isLater) return result
        return (result as Promise<void>).then(() => (isDead ? new Promise(() => undefined) : undefined))
      },
    })
  }
  return {
    files,
    isDead: () => isDead,
    kill: () => {
      isDead = true
    },
  }
}

/** One process after another on one spool and one folder of files. */
class World {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-files-'))
  readonly expected = new Map<string, string[]>()
  readonly warnings: string[] = []
  readonly openFilesLimit: number
  spool!: Spool
  destination!: FilesDestination
  /** Whether messages are chosen one by one, as with `when`, `limit` or `format`: then files are known by their paths and not by their hosts. */
  isChosen = false
  #kill!: () => void
  #boot = 1
  #count = 0

  constructor(openFilesLimit: number) {
    this.openFilesLimit = openFilesLimit
    this.start()
  }

  start(): void {
    const { files, isDead, kill } = mortalFiles()
    this.#kill = kill
    const world = {
      files,
      clock: systemClock,
      bootId: `boot-${this.#boot}`,
      onBadRecord: () => undefined,
      onSyncFailure: (error: unknown) => {
        throw error
      },
      onMiscount: (name: string, shown: number, stored: number) => {
        throw new Error(`${name} was shown ${shown} messages, ${stored} were stored`)
      },
    }
    this.spool = Spool.open({ directory: path.join(this.directory, 'spool'), limitBytes: 1 << 30, segmentBytes: 64 << 10 }, world)
    const note = (_event: string, text: string): void => {
      if (!isDead()) this.warnings.push(text)
    }
    const log: Log = {
      debug: () => undefined,
      info: () => undefined,
      warn: note,
      error: note,
      onEvent: () => undefined,
      setLevel: () => undefined,
    }
    const template = this.file('$HOST')
    const chosen = this.isChosen
      ? {
          records: new SharedRecords('loghost', log, new Metrics()),
          planner: new FilePlanner(template, undefined, () => 0),
          lines: new FileLines(),
        }
      : undefined
    const options = { template, modes: MODES, openFilesLimit: this.openFilesLimit, chosen }
    const attachment = this.spool.attach(CURSOR, true)
    this.destination = new FilesDestination(options, this.spool, attachment, log, new Metrics(), systemClock)
    this.destination.start()
  }

  file(host: string): string {
    return path.join(this.directory, 'log', host, 'messages')
  }

  /** Appends `count` messages of a host and notes the lines that they have to become. */
  append(host: string, count: number, length: number): void {
    const texts = Array.from({ length: count }, () => `message ${this.#count++} ${'z'.repeat(length)}`)
    const messages = texts.map((text) => Buffer.from(`<13>1 2026-11-23T02:50:00Z ${host} app - - - ${text}`))
    const end = BATCH_HEADROOM_BYTES + messages.reduce((sum, message) => sum + 4 + message.length, 0)
    const bytes = Buffer.alloc(end)
    let at = BATCH_HEADROOM_BYTES
    for (const message of messages) {
      bytes.writeUInt32LE(message.length, at)
      message.copy(bytes, at + 4)
      at += 4 + message.length
    }
    const batch = { origin: host, count, plainBytes: end - BATCH_HEADROOM_BYTES, codec: CODEC_PLAIN, receivedUs: 0 }
    this.spool.appendBatch(bytes, BATCH_HEADROOM_BYTES, end, batch)
    const lines = this.expected.get(host) ?? []
    this.expected.set(host, lines)
    for (const text of texts) lines.push(`2026-11-23T02:50:00Z ${host} app: ${text}\n`)
  }

  /** The process ends here, without a word. What it wrote behind its last checkpoint may be cut anywhere, as by a write that was under way. */
  async crash(random: Random, tears: boolean): Promise<void> {
    this.#kill()
    await this.destination.stop(AbortSignal.abort())
    await turn()
    if (!tears) return
    const cursor = path.join(this.directory, 'spool', 'cursors', `${CURSOR}.cursor`)
    if (!fs.existsSync(cursor)) return
    const { extra } = JSON.parse(fs.readFileSync(cursor, 'utf8').split('\n')[1]!) as {
      extra: { files: Array<{ host: string; inode: number; size: number }> }
    }
    for (const { host, inode, size } of extra.files) {
      const stat = fs.statSync(this.file(host), { throwIfNoEntry: false })
      if (stat?.ino === inode && stat.size > size && random.chance(0.5)) fs.truncateSync(this.file(host), random.int(size, stat.size))
    }
  }

  /** Lets the destination work until it has nothing left, within LIMIT_MS. */
  async finish(t: ExecutionContext): Promise<void> {
    await this.spool.commit()
    const cursorLag = (): number => Number(this.destination.status()['lag_bytes'])
    const began = performance.now()
    while (cursorLag() > 0) {
      if (performance.now() - began > LIMIT_MS)
        return void t.fail(`still ${cursorLag()} bytes behind: ${JSON.stringify(this.destination.status())}`)
      await turn()
    }
  }

  check(t: ExecutionContext, how: string): void {
    for (const [host, lines] of this.expected) {
      const folder = path.dirname(this.file(host))
      const rotated = fs.readdirSync(folder).filter((name) => /^messages\.\d+$/.test(name))
      rotated.sort((a, b) => Number(b.split('.')[1]) - Number(a.split('.')[1]))
      const found = [...rotated, 'messages'].map((name) => fs.readFileSync(path.join(folder, name), 'latin1')).join('')
      if (found !== lines.join('')) {
        const got = found.split('\n')
        const at = got.findIndex((line, index) => `${line}\n` !== lines[index])
        t.fail(
          `${how}: ${host}: ${got.length - 1} lines for ${lines.length}; line ${at} is "${got[at]?.slice(0, 60)}", not "${lines[at]?.slice(0, 60)}"`,
        )
      }
    }
    t.deepEqual(this.warnings, [], how)
  }

  async end(): Promise<void> {
    await this.spool.close()
    this.destination.close()
    fs.rmSync(this.directory, { recursive: true })
  }
}

async function work(random: Random, world: World, hosts: number): Promise<void> {
  for (let round = random.int(1, 8); round > 0; round--) {
    for (let batches = random.int(1, 6); batches > 0; batches--) {
      const length = random.pick([10, 10, 300, 20_000])
      world.append(`host-${random.int(1, hosts)}`, random.int(1, 8), length)
    }
    await world.spool.commit()
    for (let turns = random.int(0, 4); turns > 0; turns--) await turn()
    if (random.chance(0.3)) void world.spool.checkpoint().catch(() => undefined)
    if (random.chance(0.3)) await world.spool.checkpoint()
  }
}

for (const [what, hosts, limit, tears] of [
  ['few hosts', 3, 16, false],
  ['lines that are torn', 3, 16, true],
  ['more hosts than files may be open', 12, 4, true],
] as const) {
  test.serial(`each line is written once over many crashes: ${what}`, async (t) => {
    const seed = runSeed()
    t.log(`LOGHOP_SEED=${seed}`)
    for (let run = 0; run < 2; run++) {
      const random = new Random(seed + run)
      const world = new World(limit)
      for (let crash = 0; crash < 10; crash++) {
        await work(random, world, hosts)
        await world.crash(random, tears)
        world.start()
      }
      await world.finish(t)
      world.check(t, `LOGHOP_SEED=${seed + run}`)
      await world.end()
    }
  })
}

test.serial('a chunk with more hosts than files may be open is written', async (t) => {
  const world = new World(4)
  for (let host = 0; host < 40; host++) world.append(`host-${host}`, 2, 10)
  await world.finish(t)
  world.check(t, '40 hosts in one chunk, 4 files')
  await world.end()
})

test.serial('a write that fails in the middle of a chunk repeats no line when it is tried again', async (t) => {
  const world = new World(16)
  await world.finish(t)
  const written = fs.writeSync
  const patched = fs as { writeSync: unknown }
  for (const failing of [1, 2, 3, 4, 5]) {
    for (const host of ['a', 'b', 'c']) world.append(host, 3, 400_000)
    let writes = 0
    patched.writeSync = (fd: number, bytes: Uint8Array, offset: number, length: number, position?: number) => {
      // The spool writes at a position, the destination appends.
      if (position !== undefined) return written(fd, bytes, offset, length, position)
      if (++writes === failing) return written(fd, bytes, offset, Math.ceil(length / 3))
      if (writes === failing + 1) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
      return written(fd, bytes, offset, length)
    }
    syncBuiltinESMExports()
    try {
      await world.spool.commit()
      for (let turns = 0; turns < 100_000 && world.destination.status()['state'] !== 'failing'; turns++) await turn()
      t.is(world.destination.status()['state'], 'failing', `write ${failing}`)
    } finally {
      patched.writeSync = written
      syncBuiltinESMExports()
    }
    while (world.destination.status()['state'] === 'failing') await new Promise((resolve) => setTimeout(resolve, 50))
    await world.finish(t)
  }
  t.true(world.warnings.every((text) => text.includes('ENOSPC')))
  world.warnings.length = 0
  world.check(t, 'after ENOSPC')
  await world.end()
})

test.serial('a file that was moved away while nobody ran is completed in its place, and the new one goes on', async (t) => {
  const random = new Random(1)
  const world = new World(16)
  world.append('a', 3, 10)
  await world.finish(t)
  await world.spool.checkpoint()
  world.append('a', 3, 10)
  await world.finish(t)
  await world.crash(random, false)
  fs.renameSync(world.file('a'), `${world.file('a')}.1`)
  world.start()
  world.append('a', 2, 10)
  await world.finish(t)
  world.check(t, 'rotated between two processes')
  t.is(fs.readFileSync(world.file('a'), 'latin1').split('\n').length - 1, 2)
  await world.end()
})

test.serial('each line is written once over many crashes, also when the process after one goes another way about its files', async (t) => {
  const seed = runSeed()
  t.log(`LOGHOP_SEED=${seed}`)
  const random = new Random(seed)
  const world = new World(16)
  for (let crash = 0; crash < 12; crash++) {
    await work(random, world, 3)
    await world.crash(random, false)
    world.isChosen = !world.isChosen
    world.start()
  }
  await world.finish(t)
  world.check(t, `LOGHOP_SEED=${seed}`)
  await world.end()
})
