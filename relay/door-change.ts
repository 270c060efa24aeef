// A change of the listeners in two steps, so that it happens whole or not at all.

/** What a change of the listeners has done, in numbers. */
export interface DoorChanged {
  /** Texts of what is bound anew. */
  readonly opened: readonly string[]
  readonly closed: number
  /** Connections that were ended. */
  readonly cut: number
}

/** Listeners that are bound and wait for the rest of a configuration. */
export interface DoorChange {
  /** Changes over; cannot fail. */
  commit(): DoorChanged
  /** Closes what was bound for it; nothing once it is committed. */
  abort(): void
}

/** `listens anew on 127.0.0.1:6514, none closed, no connection cut`, without what says that no listener has changed. */
export function changedText({ opened, closed, cut }: DoorChanged): string {
  const places = opened.length === 0 ? 'no listener opened' : `listens anew on ${opened.join(', ')}`
  const listeners = opened.length + closed === 0 ? '' : `${places}, ${closed || 'none'} closed, `
  return `${listeners}${cut || 'no'} ${cut > 1 ? 'connections' : 'connection'} cut`
}
