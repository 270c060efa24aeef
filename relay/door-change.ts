/** What a change of the listeners has done, in numbers. */
export interface DoorChanged {
  /** Texts of what is bound anew. */
  readonly opened: readonly string[]
  readonly closed: number
  /** Connections that were ended. */
  readonly cut: number
}

/** `listens anew on 127.0.0.1:6514, none closed, no connection cut`, without what says that no listener has changed. */
export function changedText({ opened, closed, cut }: DoorChanged): string {
  const places = opened.length === 0 ? 'no listener opened' : `listens anew on ${opened.join(', ')}`
  const listeners = opened.length + closed === 0 ? '' : `${places}, ${closed || 'none'} closed, `
  return `${listeners}${cut || 'no'} ${cut > 1 ? 'connections' : 'connection'} cut`
}
