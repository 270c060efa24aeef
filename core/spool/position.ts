/** A place in a spool: between two records, or at the end. */
export interface Position {
  readonly segment: number
  /** Bytes from the start of the segment's file. */
  readonly offset: number
  /**
   * Messages that the spool has had up to here, in all its life; undefined where that is not known (a cursor or a document was lost, a record was bad).
   * What a destination has been shown is checked against it.
   */
  readonly messages?: number | undefined
}

export function comparePositions(a: Position, b: Position): number {
  return a.segment - b.segment || a.offset - b.offset
}
