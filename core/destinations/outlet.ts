import type { MessageContext } from '../syslog/message-fields.ts'

export interface OutletEvents {
  /** There is room again, or more is done. */
  onChange(): void
  /** It is closed, or of no use any more; what is not done comes again. */
  onFailed(error: Error): void
}

/** The far end of a destination that takes message by message: what a pipe, a program, a socket or a terminal has in common. Never blocks. */
export interface Outlet {
  /** Word of the configuration. */
  readonly kind: string
  /** What it leads to, for people. */
  readonly name: string
  /** What is promised of a message, in words. */
  readonly guarantee: string
  /** Longest pause between two attempts to open it. */
  readonly retryLimitMs: number
  /** @throws {LoghopError} or the errno: it cannot be opened now */
  open(events: OutletEvents): void
  /**
   * Takes a copy of the message `bytes[start..end]`.
   * @returns false: there is no room, `onChange` comes when there is
   * @throws the errno: as with `onFailed`
   */
  add(bytes: Uint8Array, start: number, end: number, context: MessageContext): boolean
  /** Sends on what was added. @throws as add */
  flush(): void
  /** How many of the messages added since `open` are done, in order. `onChange` comes when it has grown by itself. @throws as add */
  done(): number
  /** More of what is known, for `status`. */
  status?(): Record<string, string | number>
  /** Over to a new connection, which shows and checks certificates anew; nothing where there is none. */
  renew?(): void
  /** Nothing comes any more: resolves when the far end has what it can get, or the signal says that time is up. */
  end?(deadline: AbortSignal): Promise<void>
  /** May be called at any time, also when it is closed; no event comes afterwards. */
  close(): void
}
