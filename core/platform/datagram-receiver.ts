// Receives datagrams in bulk: recvmmsg(2) into one memory, with each sender's credentials and the time of arrival.
// Hot: bench/micro/receive.ts.

import { LoghopError } from '../base/errors.ts'
import { addressOf, lastErrno, libc } from './libc.ts'

/** Messages per call. */
export const RECEIVE_COUNT = 512

const IS_LINUX = process.platform === 'linux'
// struct mmsghdr and struct iovec of 64-bit systems. FreeBSD's msghdr has 32-bit lengths at the same places, but flags at 44.
const HEADER_BYTES = 64
const IOV_BYTES = 16
const CONTROL_BYTES = 64
const MSG_DONTWAIT = IS_LINUX ? 0x40 : 0x80
const MSG_WAITFORONE = IS_LINUX ? 0x10000 : 0x80000
const MSG_TRUNC = IS_LINUX ? 0x20 : 0x10
const FLAGS_WORD = IS_LINUX ? 12 : 11
// Control messages: the timestamp (32 bytes) comes before the credentials.
const SCM_TIMESTAMP = IS_LINUX ? 29 : 0x02
const SCM_CREDENTIALS = IS_LINUX ? 0x02 : 0x08
const CONTROL_HEADER_BYTES = 16

// Most messages are shorter than this and lie close together; what is longer goes on in a sparse region, whose pages stay untouched else.
const NEAR_BYTES = 1024

/** Bytes that a receiver needs at the start of its memory. @param limitBytes longest message, the rest is cut off */
export function receiverBytes(limitBytes: number): number {
  const farBytes = Math.max(64, Math.ceil(limitBytes / 64) * 64)
  return RECEIVE_COUNT * (HEADER_BYTES + 2 * IOV_BYTES + CONTROL_BYTES + NEAR_BYTES + farBytes)
}

export class DatagramReceiver {
  readonly #fd: number
  readonly #bytes: Uint8Array
  readonly #words: Uint32Array
  readonly #headers: bigint
  readonly #control: number
  readonly #near: number
  readonly #far: number
  readonly #farBytes: number
  readonly #limitBytes: number

  /** @param memory at least receiverBytes(limitBytes), referenced by the receiver for its life, since the kernel has its address */
  constructor(fd: number, memory: ArrayBuffer, limitBytes: number) {
    this.#fd = fd
    this.#bytes = new Uint8Array(memory)
    this.#words = new Uint32Array(memory)
    this.#limitBytes = limitBytes
    this.#farBytes = Math.max(64, Math.ceil(limitBytes / 64) * 64)
    const base = addressOf(this.#bytes)
    this.#headers = base
    const iov = RECEIVE_COUNT * HEADER_BYTES
    this.#control = iov + RECEIVE_COUNT * 2 * IOV_BYTES
    this.#near = this.#control + RECEIVE_COUNT * CONTROL_BYTES
    this.#far = this.#near + RECEIVE_COUNT * NEAR_BYTES
    const longs = new BigUint64Array(memory, 0, this.#near / 8)
    const nearBytes = Math.min(NEAR_BYTES, limitBytes)
    for (let index = 0; index < RECEIVE_COUNT; index++) {
      const header = (index * HEADER_BYTES) / 8
      const vector = (iov + index * 2 * IOV_BYTES) / 8
      longs[header + 2] = base + BigInt(iov + index * 2 * IOV_BYTES)
      longs[header + 3] = 2n
      longs[header + 4] = base + BigInt(this.#control + index * CONTROL_BYTES)
      longs[vector] = base + BigInt(this.#near + index * NEAR_BYTES)
      longs[vector + 1] = BigInt(nearBytes)
      // Behind room for the near part, so that a long message can be joined in place.
      longs[vector + 2] = base + BigInt(this.#far + index * this.#farBytes + NEAR_BYTES)
      longs[vector + 3] = BigInt(Math.max(0, limitBytes - NEAR_BYTES))
    }
  }

  /**
   * Receives up to RECEIVE_COUNT messages.
   * @param wait block until there is at least one
   * @returns how many; 0 when there is none and `wait` is false, or when a signal came
   */
  receive(wait: boolean): number {
    const words = this.#words
    for (let index = 0; index < RECEIVE_COUNT; index++) words[index * (HEADER_BYTES / 4) + 10] = CONTROL_BYTES
    const count = libc.recvmmsg(this.#fd, this.#headers, RECEIVE_COUNT, wait ? MSG_WAITFORONE : MSG_DONTWAIT, 0n) as number
    if (count >= 0) return count
    const errno = lastErrno()
    if (errno === 'EAGAIN' || errno === 'EWOULDBLOCK' || errno === 'EINTR' || errno === 'ENOBUFS' || errno === 'ENOMEM') return 0
    throw new LoghopError(
      'SOCKET',
      `Cannot receive from the local socket: ${errno}`,
      'Restart the agent; if it comes again, report it with this text',
    )
  }

  /** Bytes of the message, at most the limit. */
  length(index: number): number {
    return Math.min(this.#words[index * (HEADER_BYTES / 4) + 14]!, this.#limitBytes)
  }

  /** Whether the message was longer than the limit. */
  isCut(index: number): boolean {
    return (this.#words[index * (HEADER_BYTES / 4) + FLAGS_WORD]! & MSG_TRUNC) !== 0
  }

  /** Offset of the message in the memory, in one piece. */
  offset(index: number): number {
    const near = this.#near + index * NEAR_BYTES
    if (this.length(index) <= NEAR_BYTES) return near
    const far = this.#far + index * this.#farBytes
    this.#bytes.copyWithin(far, near, near + NEAR_BYTES)
    return far
  }

  /** Seconds since 1970 UTC when the kernel took the message, 0 when it did not say. */
  second(index: number): number {
    const at = (this.#control + index * CONTROL_BYTES) / 4
    return this.#hasTimestamp(index, at) ? this.#words[at + 4]! : 0
  }

  /** Microseconds within the second. */
  micros(index: number): number {
    return this.#words[(this.#control + index * CONTROL_BYTES) / 4 + 6]!
  }

  /** Process of the sender, 0 when the kernel does not know it here. */
  pid(index: number): number {
    const at = this.#credentials(index)
    return at === -1 ? 0 : this.#words[IS_LINUX ? at : at + 1]!
  }

  /** User of the sender, -1 when the kernel does not say. */
  uid(index: number): number {
    const at = this.#credentials(index)
    return at === -1 ? -1 : this.#words[IS_LINUX ? at + 1 : at + 2]!
  }

  /** Whether this is not a message but the end: the socket was shut, and nothing is queued any more. */
  isEnd(index: number): boolean {
    return this.length(index) === 0 && this.#words[index * (HEADER_BYTES / 4) + 10] === 0
  }

  #hasTimestamp(index: number, at: number): boolean {
    return this.#words[index * (HEADER_BYTES / 4) + 10]! >= 32 && this.#words[at + 3] === SCM_TIMESTAMP
  }

  /** Word at which the credentials' fields stand, or -1. */
  #credentials(index: number): number {
    const length = this.#words[index * (HEADER_BYTES / 4) + 10]!
    let at = (this.#control + index * CONTROL_BYTES) / 4
    let left = length
    for (; left >= CONTROL_HEADER_BYTES + 12; ) {
      if (this.#words[at + 3] === SCM_CREDENTIALS) return at + CONTROL_HEADER_BYTES / 4
      const step = Math.ceil(this.#words[at]! / 8) * 8
      if (step < CONTROL_HEADER_BYTES) return -1
      at += step / 4
      left -= step
    }
    return -1
  }
}
