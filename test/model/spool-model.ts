// The spool beside a model of what it promises. Random actions are done to a real spool on a disk that forgets; after each of them what the spool shows
// is held against the model, which knows every message that was ever appended, and which of them the spool has answered for.

import * as assert from 'node:assert/strict'
import type { Files } from '../../core/base/files.ts'
import type { Attachment } from '../../core/spool/attachment.ts'
import { CODEC_PLAIN, encodeEnvelope, frameBatch, type RecordHead, readRecord } from '../../core/spool/batch.ts'
import { BATCH_HEADROOM_BYTES } from '../../core/spool/constants.ts'
import { Follower } from '../../core/spool/follower.ts'
import type { Position } from '../../core/spool/position.ts'
import { Spool } from '../../core/spool/spool.ts'
import type { SpoolWorld } from '../../core/spool/spool-options.ts'
import { type Call, PowerCutDisk, ProcessGone } from '../support/power-cut-files.ts'
import type { Random } from '../support/random.ts'

const DIRECTORY = '/var/spool/loghop'
const SEGMENT_BYTES = 6 << 10
const OWN_ORIGINS = ['relay', 'switch-7']
const SENDERS = 3
const FAULT_CODES = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'EROFS']

/** A deliberately broken world, which the model has to see through. */
export interface Breakage {
  /** What the process under test is given instead of the disk. */
  files?(files: Files): Files
  commit?(spool: Spool): Promise<void>
  /** The boot id after a power cut. */
  bootId?(boot: number): string | undefined
  position?(spool: Spool, acknowledged: Position): Position
  /** The call whose faults bring it to light; without it faults meet any call, and a rare one hardly ever. */
  readonly fault?: Call
}

interface Message {
  readonly key: string
  readonly text: string
  /** The spool has answered for it: it may not go any more. */
  isOwed: boolean
  /** Left by which of the destinations, so that its segment may be freed. */
  readonly doneBy: Set<string>
}

/** What a destination has seen; `onlySynced` is the file destination's view, the other the uplink's. */
interface Destination {
  readonly name: string
  readonly onlySynced: boolean
  attachment: Attachment
  /** Read in this pass, not acknowledged yet. */
  unacknowledged: Array<{ readonly position: Position; readonly keys: readonly string[] }>
  /** Keys since the last seek: none may come twice. */
  pass: Set<string>
  lastOwn: Map<string, number>
}

interface Sender {
  readonly origin: string
  stream: string
  /** Sequences handed out so far. */
  next: number
}

export class SpoolModel {
  readonly #random: Random
  readonly #breakage: Breakage
  readonly #disk = new PowerCutDisk()
  /** All that was ever stored by key; a key stands for one text for ever. */
  readonly #messages = new Map<string, Message>()
  /** Every own sequence ever given out, with its text, also of messages that a cut has taken. */
  readonly #given = new Map<string, string>()
  readonly #senders: Sender[] = []
  readonly #room = Buffer.alloc(BATCH_HEADROOM_BYTES + 16384)
  #spool!: Spool
  #destinations: Destination[] = []
  #boot = 1
  #clockUs = 1_700_000_000_000_000
  #count = 0
  #ownCount = 0
  #faults = 0
  #movedUnsynced = false
  #checkpointing: Promise<void> | undefined
  /** How often each action was done, so that a test can see that none is idle. */
  readonly done: Record<string, number> = {}

  constructor(random: Random, breakage: Breakage = {}) {
    this.#random = random
    this.#breakage = breakage
    this.#disk.prepare('/var/spool')
    for (let index = 0; index < SENDERS; index++) this.#senders.push({ origin: `host-${index}`, stream: this.#newStream(), next: 1 })
  }

  /** @throws AssertionError where spool and model differ, with the action's number in its message */
  async run(steps: number): Promise<void> {
    try {
      await this.#play(steps)
    } finally {
      // A spool that still tries to sync has to find its world gone, or it would try for ever.
      this.#disk.crash()
    }
  }

  async #play(steps: number): Promise<void> {
    await this.#reopen(false)
    for (let step = 0; step < steps; step++) {
      const action = this.#pickAction()
      this.done[action] = (this.done[action] ?? 0) + 1
      try {
        await this.#do(action)
      } catch (error) {
        if (error instanceof Error) error.message = `step ${step}, ${action}: ${error.message}`
        throw error
      }
    }
    this.#noFaults()
    // A death that was planted may come to light in the first one.
    await this.#do('drain')
    await this.#do('drain')
  }

  #pickAction(): string {
    const at = this.#random.next()
    if (at < 0.3) return 'append'
    if (at < 0.5) return 'receive'
    if (at < 0.62) return 'commit'
    if (at < 0.66) return 'commit and wait'
    if (at < 0.84) return 'read'
    if (at < 0.9) return 'acknowledge'
    if (at < 0.925) return 'checkpoint'
    if (at < 0.935) return 'seek back'
    if (at < 0.945) return 'drain'
    if (at < 0.96) return 'fault'
    if (at < 0.972) return 'crash'
    if (at < 0.985) return 'power cut'
    if (at < 0.99) return 'close'
    return 'settle'
  }

  async #do(action: string): Promise<void> {
    try {
      if (action === 'append') this.#append()
      else if (action === 'receive') this.#receive()
      else if (action === 'commit') this.#commit()
      else if (action === 'commit and wait') await this.#commitAndWait()
      else if (action === 'read') this.#read(this.#random.pick(this.#destinations))
      else if (action === 'acknowledge') this.#acknowledge(this.#random.pick(this.#destinations))
      else if (action === 'checkpoint') this.#checkpoint()
      else if (action === 'seek back') this.#seekBack(this.#random.pick(this.#destinations))
      else if (action === 'drain') await this.#drain()
      else if (action === 'fault') this.#plantFault()
      else if (action === 'crash') await this.#reopen(false)
      else if (action === 'power cut') await this.#reopen(true)
      else if (action === 'close') await this.#closeInOrder()
    } catch (error) {
      if (error instanceof ProcessGone) await this.#reopen(this.#random.chance(0.5))
      else if (!isInjected(error)) throw error
    }
    if (this.#random.chance(0.4)) await this.#settle()
  }

  async #settle(): Promise<void> {
    this.#disk.settle()
    await turn()
  }

  // Appending.

  #append(): void {
    const origin = this.#random.pick(OWN_ORIGINS)
    const count = this.#random.int(1, 4)
    const texts = Array.from({ length: count }, () => `own ${this.#ownCount++} ${'x'.repeat(this.#random.int(0, 700))}`)
    const end = this.#payload(texts)
    this.#spool.appendBatch(this.#room, BATCH_HEADROOM_BYTES, end, {
      origin,
      count,
      plainBytes: end - BATCH_HEADROOM_BYTES,
      codec: CODEC_PLAIN,
      receivedUs: this.#clockUs,
    })
    // The record stands in the room now, with the sequence that the spool has given it.
    const start = BATCH_HEADROOM_BYTES - 56 - origin.length - 32
    const read = readRecord(this.#room, start, end)
    assert.equal(read.kind, 'record')
    const { head } = read as { head: RecordHead }
    assert.equal(head.stream, this.#spool.stream)
    for (const [index, text] of texts.entries()) {
      const key = keyOf(origin, head.stream, head.first + index)
      const before = this.#given.get(key)
      assert.equal(before, undefined, `${key} is given out again: it stood for "${before?.slice(0, 12)}", now for "${text.slice(0, 12)}"`)
      this.#given.set(key, text)
      this.#messages.set(key, { key, text, isOwed: false, doneBy: new Set() })
    }
  }

  #payload(texts: readonly string[]): number {
    let at = BATCH_HEADROOM_BYTES
    for (const text of texts) {
      this.#room.writeUInt32LE(text.length, at)
      at += 4 + this.#room.write(text, at + 4, 'latin1')
    }
    return at
  }

  /** Frames a batch of a sender as another node would have, with a window of it taken. */
  #receive(): void {
    const sender = this.#random.pick(this.#senders)
    if (this.#random.chance(0.01)) {
      sender.stream = this.#newStream()
      sender.next = 1
    }
    // New, again, overlapping, or ahead so that a gap is left.
    const how = this.#random.next()
    let first = sender.next
    if (how < 0.3) first = this.#random.int(Math.max(1, sender.next - 30), sender.next)
    else if (how < 0.4) first = sender.next + this.#random.int(1, 5)
    const count = this.#random.int(1, 6)
    sender.next = Math.max(sender.next, first + count)
    const skip = this.#random.chance(0.2) ? this.#random.int(0, count - 1) : 0
    const take = this.#random.chance(0.2) ? this.#random.int(1, count - skip) : count - skip
    const end = this.#payload(Array.from({ length: count }, (_, index) => textOf(sender, first + index)))
    const plainBytes = end - BATCH_HEADROOM_BYTES
    const batch = { origin: sender.origin, stream: sender.stream, first, count, plainBytes, codec: CODEC_PLAIN, receivedUs: this.#clockUs }
    const framed = frameBatch(this.#room, BATCH_HEADROOM_BYTES, end, batch, this.#clockUs)
    const payloadStart = BATCH_HEADROOM_BYTES - 56 - sender.origin.length
    const bytes = Buffer.concat([
      encodeEnvelope(end - payloadStart, { skip, take }, [], this.#clockUs),
      this.#room.subarray(framed + 32, end),
    ])
    const read = readRecord(bytes, 0, bytes.length)
    assert.equal(read.kind, 'record')
    const { head } = read as { head: RecordHead }
    const hops = [{ id: this.#spool.id, name: 'here', arrivedUs: this.#clockUs }]
    let stored = 0
    for (let attempt = 0; ; attempt++) {
      const fresh = this.#newOf(sender, first + skip, take)
      try {
        const result = this.#spool.appendReceived(bytes, head, hops)
        assert.equal(result.kind, 'stored')
        const now = (result as { messages: number }).messages
        if (attempt === 0) assert.equal(now, fresh.length, `of ${first + skip}+${take} in ${sender.origin} ${fresh.length} are new`)
        else
          assert.ok(
            now <= fresh.length,
            `of ${first + skip}+${take} in ${sender.origin} at most ${fresh.length} are new, ${now} were stored`,
          )
        stored += now
        for (const sequence of fresh) {
          const key = keyOf(sender.origin, sender.stream, sequence)
          this.#messages.set(key, { key, text: textOf(sender, sequence), isOwed: false, doneBy: new Set() })
        }
        break
      } catch (error) {
        // Parts of it may be stored: the sender sends it again, and then the rest is.
        if (error instanceof ProcessGone) {
          for (const sequence of fresh) this.#maybe.add(keyOf(sender.origin, sender.stream, sequence))
          throw error
        }
        if (!isInjected(error)) throw error
        this.#noFaults()
      }
    }
    this.#count += stored
  }

  /** Keys that a process was storing as it ended. */
  readonly #maybe = new Set<string>()

  #newOf(sender: Sender, from: number, take: number): number[] {
    const fresh: number[] = []
    for (let sequence = from; sequence < from + take; sequence++)
      if (!this.#messages.has(keyOf(sender.origin, sender.stream, sequence))) fresh.push(sequence)
    return fresh
  }

  // Answering for what was appended.

  #commit(): Promise<void> {
    const spool = this.#spool
    const appended = [...this.#messages.values()].filter((message) => !message.isOwed)
    const commit = this.#breakage.commit?.(spool) ?? spool.commit()
    const answered = commit.then(() => {
      if (spool !== this.#spool) return
      for (const message of appended) message.isOwed = true
    })
    answered.catch(() => undefined)
    return answered
  }

  async #commitAndWait(): Promise<void> {
    const commit = this.#commit()
    await this.#waitFor(commit)
    // Nothing waits any more: one segment is open for writing, and one for each follower.
    if (this.#random.chance(0.5)) this.#checkDescriptors()
  }

  #checkDescriptors(): void {
    if (this.#checkpointing === undefined && !this.#disk.hasPending && this.#breakage.commit === undefined) {
      const limit = 1 + this.#destinations.length
      assert.ok(this.#disk.openFiles <= limit, `${this.#disk.openFiles} files are open after a sync, at most ${limit} are wanted`)
    }
  }

  /** Lets the disk work until the promise is settled. */
  async #waitFor(promise: Promise<unknown>): Promise<void> {
    let isSettled = false
    const ended = promise.finally(() => {
      isSettled = true
    })
    ended.catch(() => undefined)
    for (let rounds = 0; !isSettled; rounds++) {
      await this.#settle()
      if (this.#disk.hasDied) throw new ProcessGone('waited for')
      if (rounds > 50) this.#noFaults()
      assert.ok(rounds < 1000, 'the spool never answers')
      if (rounds > 100) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await ended
  }

  // Following.

  #attach(name: string, onlySynced: boolean): Destination {
    const attachment = this.#spool.attach(name, onlySynced)
    const { position } = this.#breakage
    if (position !== undefined) attachment.checkpointFrom(() => ({ position: position(this.#spool, attachment.acknowledged) }))
    return { name, onlySynced, attachment, unacknowledged: [], pass: new Set(), lastOwn: new Map() }
  }

  /** @returns how many messages came */
  #read(destination: Destination): number {
    const room = Buffer.alloc(this.#random.pick([200, 2000, 20_000]))
    const chunk = destination.attachment.follower.read(room, this.#random.int(0, 100))
    if (chunk === undefined) return 0
    for (const [index, head] of chunk.heads.entries()) {
      const keys: string[] = []
      for (const { key, text, sequence } of messagesOf(chunk.bytes, head)) {
        keys.push(key)
        this.#checkKnown(key, text)
        if (!this.#movedUnsynced || destination.onlySynced)
          assert.ok(!destination.pass.has(key), `${destination.name} reads ${key} twice in one pass`)
        destination.pass.add(key)
        if (this.#given.has(key) && !this.#movedUnsynced) {
          const stream = `${head.origin} ${head.stream}`
          assert.ok(
            sequence > (destination.lastOwn.get(stream) ?? 0),
            `${destination.name} reads ${key} behind ${destination.lastOwn.get(stream)}`,
          )
          destination.lastOwn.set(stream, sequence)
        }
        // What the file destination has seen may never be taken back.
        if (destination.onlySynced) this.#messages.get(key)!.isOwed = true
      }
      destination.unacknowledged.push({ position: chunk.positions[index]!, keys })
    }
    return chunk.messages
  }

  #checkKnown(key: string, text: string): void {
    const known = this.#messages.get(key)
    assert.ok(known !== undefined, `${key} is shown, and nobody has stored it`)
    assert.equal(text, known.text, `${key} stands for another text`)
  }

  #acknowledge(destination: Destination): void {
    const { unacknowledged } = destination
    if (unacknowledged.length === 0) return
    const done = unacknowledged.splice(0, this.#random.int(1, unacknowledged.length))
    destination.attachment.acknowledge(done.at(-1)!.position)
    for (const { keys } of done) for (const key of keys) this.#messages.get(key)?.doneBy.add(destination.name)
  }

  #seekBack(destination: Destination): void {
    destination.attachment.follower.seek(destination.attachment.acknowledged)
    this.#newPass(destination)
  }

  #newPass(destination: Destination): void {
    destination.unacknowledged = []
    destination.pass = new Set()
    destination.lastOwn = new Map()
  }

  #checkpoint(): void {
    if (this.#checkpointing !== undefined) return
    const under = this.#spool.checkpoint().catch((error: unknown) => {
      if (!isInjected(error) && !(error instanceof ProcessGone)) throw error
    })
    const running = under.finally(() => {
      if (this.#checkpointing === running) this.#checkpointing = undefined
    })
    this.#checkpointing = running
    running.catch((error: unknown) => {
      this.#failure ??= error
    })
  }

  #failure: unknown

  /** Everything that is owed comes to every destination; then the segments are freed. */
  async #drain(): Promise<void> {
    await this.#waitFor(this.#commit())
    for (const destination of this.#destinations) {
      while (this.#read(destination) > 0) if (this.#random.chance(0.2)) this.#acknowledge(destination)
      const { unacknowledged, attachment } = destination
      if (unacknowledged.length > 0) attachment.acknowledge(unacknowledged.at(-1)!.position)
      for (const { keys } of unacknowledged) for (const key of keys) this.#messages.get(key)?.doneBy.add(destination.name)
      destination.unacknowledged = []
      for (const message of this.#messages.values())
        assert.ok(!message.isOwed || message.doneBy.has(destination.name), `${destination.name} has skipped ${message.key}`)
    }
    this.#scan()
    if (this.#faults > 0) return
    if (this.#checkpointing !== undefined) await this.#waitFor(this.#checkpointing)
    this.#checkpoint()
    await this.#waitFor(this.#checkpointing!)
    if (this.#failure !== undefined) throw this.#failure
    // Empty ones, of starts that found damage, wait for the next message.
    const segments = this.#spool.files
      .list(this.#spool.segmentsDirectory)
      .filter((name) => this.#disk.content(`${this.#spool.segmentsDirectory}/${name}`)!.length > 64)
    assert.ok(segments.length <= 2, `${segments.length} segments are kept that nobody needs`)
    this.#checkDescriptors()
  }

  /** All that the spool holds, read past the destinations: nothing twice, nothing invented, nothing owed missing. */
  #scan(): void {
    const follower = new Follower(this.#spool, { segment: 0, offset: 64 })
    const found = new Set<string>()
    const room = Buffer.alloc(20_000)
    try {
      for (let chunk = follower.read(room, 0); chunk !== undefined; chunk = follower.read(room, 0)) {
        for (const head of chunk.heads) {
          for (const { key, text } of messagesOf(chunk.bytes, head)) {
            if (this.#maybe.delete(key)) this.#messages.set(key, { key, text, isOwed: true, doneBy: new Set() })
            this.#checkKnown(key, text)
            assert.ok(!found.has(key), `${key} is stored twice`)
            found.add(key)
            this.#messages.get(key)!.isOwed = true
          }
        }
      }
    } finally {
      follower.close()
    }
    for (const message of this.#messages.values()) {
      const mayBeFreed = this.#destinations.every((destination) => message.doneBy.has(destination.name))
      assert.ok(!message.isOwed || mayBeFreed || found.has(message.key), `${message.key} was answered for and is gone`)
      // Nobody has answered for it, and the cut has taken it: it may come again.
      if (!message.isOwed) this.#messages.delete(message.key)
    }
    this.#maybe.clear()
  }

  // Failing.

  #plantFault(): void {
    const kinds: readonly Call[] = [
      'write',
      'syncData',
      'syncLater',
      'sync',
      'syncDirectory',
      'syncDirectoryLater',
      'open',
      'rename',
      'truncate',
      'read',
      'unlink',
    ]
    const call = this.#breakage.fault ?? (this.#random.chance(0.3) ? undefined : this.#random.pick(kinds))
    let left = this.#random.int(0, 6)
    let times = this.#random.pick([1, 1, 2, 5])
    const code = this.#random.pick(FAULT_CODES)
    const death = this.#random.chance(0.2)
    const shortBytes = this.#random.int(0, 900)
    let isShort = call === 'write' && this.#random.chance(0.6)
    this.#faults = times
    this.#disk.fault = (asked, file) => {
      // Quarantine is made by a follower that comes by, and reading may fail as anything may; both are asked again.
      if ((call !== undefined && asked !== call) || left-- > 0) return undefined
      if (isShort) {
        isShort = false
        return { kind: 'short', bytes: shortBytes }
      }
      if (times-- <= 0) {
        this.#noFaults()
        return undefined
      }
      this.#faults = times
      if (death) return { kind: 'death' }
      if (asked.startsWith('sync') && file.endsWith('.segment')) this.#movedUnsynced = true
      if (asked === 'syncDirectoryLater') this.#movedUnsynced = true
      return { kind: 'error', code }
    }
  }

  #noFaults(): void {
    this.#faults = 0
    this.#disk.fault = () => undefined
  }

  async #closeInOrder(): Promise<void> {
    if (this.#checkpointing !== undefined) await this.#waitFor(this.#checkpointing)
    const all = [...this.#messages.values()]
    try {
      await this.#waitFor(this.#spool.close())
      for (const message of all) message.isOwed = true
    } catch (error) {
      if (!isInjected(error) && !(error instanceof ProcessGone)) throw error
    }
    await this.#reopen(this.#random.chance(0.3))
  }

  /** The process ends as it stands, with or without the machine; another one opens the spool, perhaps at the second or third try. */
  async #reopen(isPowerCut: boolean): Promise<void> {
    this.#noFaults()
    let isCut = isPowerCut
    for (let attempt = 0; ; attempt++) {
      if (isCut) {
        this.#disk.cut(this.#random)
        this.#boot++
      } else {
        this.#disk.crash()
      }
      await turn()
      if (attempt < 3 && this.#random.chance(0.3)) this.#plantFault()
      else this.#noFaults()
      try {
        this.#open()
        break
      } catch (error) {
        if (!isInjected(error) && !(error instanceof ProcessGone)) throw error
        isCut = error instanceof ProcessGone && this.#random.chance(0.5)
      }
    }
    this.#noFaults()
    this.#scan()
  }

  #open(): void {
    const { files, bootId } = this.#breakage
    const started = this.#disk.start()
    let failures = 0
    const world: SpoolWorld = {
      files: files?.(started) ?? started,
      clock: { wallUs: () => ++this.#clockUs, monotonicMs: () => this.#clockUs / 1000 },
      bootId: bootId === undefined ? `boot-${this.#boot}` : bootId(this.#boot),
      onBadRecord: () => undefined,
      // What a dead process would try again for ever ends here.
      onSyncFailure: (error) => {
        if (error instanceof ProcessGone) throw error
        // No fault that is injected lasts that long: in a broken world the spool would try for ever.
        if (++failures > 500) assert.fail(`the disk never holds again: ${(error as Error).message}`)
      },
      onMiscount: (name, shown, stored) => {
        assert.fail(`${name} was shown ${shown} messages, ${stored} were stored`)
      },
    }
    this.#disk.holdsSyncs = true
    this.#movedUnsynced = false
    this.#checkpointing = undefined
    this.#spool = Spool.open({ directory: DIRECTORY, limitBytes: 1 << 30, segmentBytes: SEGMENT_BYTES, syncRetryMs: 0 }, world)
    this.#destinations = [this.#attach('files', true), this.#attach('uplink', false)]
  }

  #newStream(): string {
    return Array.from({ length: 32 }, () => this.#random.int(0, 15).toString(16)).join('')
  }
}

function keyOf(origin: string, stream: string, sequence: number): string {
  return `${origin} ${stream.slice(0, 8)} ${sequence}`
}

/** What a sender's message says follows from its place in its stream. */
function textOf(sender: Sender, sequence: number): string {
  return `${sender.origin} ${sender.stream.slice(0, 8)} ${sequence} ${'y'.repeat((sequence * 7919) % 500)}`
}

function* messagesOf(bytes: Buffer, head: RecordHead): Generator<{ key: string; text: string; sequence: number }> {
  let at = head.payloadStart
  for (let index = 0; index < head.skip + head.take; index++) {
    const length = bytes.readUInt32LE(at)
    at += 4
    const sequence = head.first + index
    if (index >= head.skip)
      yield { key: keyOf(head.origin, head.stream, sequence), text: bytes.toString('latin1', at, at + length), sequence }
    at += length
  }
}

function isInjected(error: unknown): boolean {
  return FAULT_CODES.includes((error as NodeJS.ErrnoException).code ?? '')
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
