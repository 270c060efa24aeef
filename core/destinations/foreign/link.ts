import type { LogFields } from '../../base/log.ts'

/** One connection to a receiver that does not take batches, whatever it speaks. No event comes after `destroy`. */
export interface Link {
  /** Whether `add` may be called; when it becomes true again, `onRoom` is called. */
  readonly hasRoom: boolean
  /** Takes a copy of the message `bytes[start..end]`. */
  add(bytes: Buffer, start: number, end: number): void
  /** Sends what was added. */
  flush(): void
  /** Nothing more is added: ends in order, by `onClosed`, once the protocol has told all that it can of what was sent. */
  close(): void
  destroy(): void
}

export interface LinkEvents {
  onReady(link: Link, fields: LogFields): void
  onRoom(): void
  /** So many more messages have arrived as far as the protocol can tell, in the order they were added. */
  onDone(messages: number): void
  onClosed(): void
  /** The connection failed; what is not done has to be sent again. */
  onFailed(sentence: string, remedy: string): void
}
