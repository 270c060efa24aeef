/** What follows the spool, seen from a daemon. */
export interface Destination {
  start(): void
  status(): Record<string, string | number>
  /** Over to a new connection within that time: our certificate is a new one. Where there is none, nothing. */
  moveWithin?(spreadMs: number): void
  /** Further certificates are revoked: the receiver's may be among them. */
  recheck?(): void
  /** Files that were moved away are opened anew, at once. */
  reopen?(): void
  /** Goes on until it is done or the signal says that time is up. */
  stop(deadline: AbortSignal): Promise<void>
  /** After the spool's last checkpoint. */
  close(): void
}
