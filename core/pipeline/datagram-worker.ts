// The thread that drains the local socket, whatever the rest of the process does. Hot: bench/run.ts.
// It first hands over what it holds, then blocks: a message never waits for the next one.

import { parentPort, workerData } from 'node:worker_threads'
import { DatagramReceiver, receiverBytes } from '../platform/datagram-receiver.ts'
import { waitReadable } from '../platform/descriptors.ts'
import { addressOf, libc } from '../platform/libc.ts'
import { GROWTH_LIMIT_BYTES, LocalCompleter, SCRATCH_BYTES } from '../syslog/local.ts'
import {
  COUNT,
  CUT,
  type DatagramWorkerData,
  FULL,
  MICROS,
  PAYLOAD_BYTES,
  payloadRoom,
  SECOND,
  SLOTS,
  STATE,
  STOP_WORD,
  slotWord,
  UNPARSED,
} from './datagram-slots.ts'

// A call that brought this many means load: a short rest lets the queue fill again, so that the next call brings as many and
// thread switches are few. Far below the queue's length (512 under systemd), so no sender waits for long; at the kernel's own 10 it never happens.
const LOAD_COUNT = 96
const REST_MS = 0.2

const { fd, wakeFd, limitBytes, hostname, control, payloads } = workerData as DatagramWorkerData
const words = new Int32Array(control)
const scratch = Math.ceil(receiverBytes(limitBytes) / 64) * 64
const output = scratch + Math.ceil(SCRATCH_BYTES / 64) * 64
const room = payloadRoom(limitBytes)
const memory = new ArrayBuffer(output + room + GROWTH_LIMIT_BYTES)
const bytes = new Uint8Array(memory)
const view = new DataView(memory)
const outputAddress = addressOf(bytes) + BigInt(output)
const receiver = new DatagramReceiver(fd, memory, limitBytes)
const completer = new LocalCompleter(bytes, scratch, hostname)

let slot = 0
let end = output
let count = 0
let cut = 0
let firstSecond = 0
let firstMicros = 0

function handOver(): void {
  if (count === 0) return
  const word = slotWord(slot)
  // The main thread is behind by all slots: the socket's queue holds senders until it has caught up.
  while (Atomics.load(words, word + STATE) === FULL) Atomics.wait(words, word + STATE, FULL, 1000)
  libc.memcpy(payloads[slot]!, outputAddress, end - output)
  words[word + PAYLOAD_BYTES] = end - output
  words[word + COUNT] = count
  words[word + CUT] = cut
  words[word + UNPARSED] = completer.takeUnparsed()
  words[word + SECOND] = firstSecond
  words[word + MICROS] = firstMicros
  Atomics.store(words, word + STATE, FULL)
  parentPort!.postMessage(slot)
  slot = (slot + 1) % SLOTS
  end = output
  count = 0
  cut = 0
}

/** @returns whether the socket has been shut and is empty */
function take(received: number): boolean {
  for (let index = 0; index < received; index++) {
    if (receiver.isEnd(index)) return true
    const length = receiver.length(index)
    if (end + 4 + length + GROWTH_LIMIT_BYTES > output + room && count > 0) handOver()
    let second = receiver.second(index)
    let micros = 0
    if (second === 0) {
      const nowMs = Date.now()
      second = Math.floor(nowMs / 1000)
      micros = (nowMs % 1000) * 1000
    } else micros = receiver.micros(index)
    if (count === 0) {
      firstSecond = second
      firstMicros = micros
    }
    const start = receiver.offset(index)
    const after = completer.complete(start, start + length, end + 4, second, micros, receiver.pid(index), receiver.uid(index))
    view.setUint32(end, after - end - 4, true)
    end = after
    count++
    if (receiver.isCut(index)) cut++
  }
  return false
}

function run(): void {
  for (;;) {
    let received = receiver.receive(false)
    if (received === 0) {
      handOver()
      if (Atomics.load(words, STOP_WORD) === 1 && process.platform !== 'linux') return
      if (wakeFd !== -1) waitReadable(fd, wakeFd)
      else received = receiver.receive(true)
    }
    if (take(received)) return
    if (wakeFd !== -1 && Atomics.load(words, STOP_WORD) === 1) return
    if (received >= LOAD_COUNT && received < 512) Atomics.wait(words, STOP_WORD, 0, REST_MS)
  }
}

run()
handOver()
parentPort!.postMessage(-1)
