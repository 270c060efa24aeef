import type { Attachment } from '../spool/attachment.ts'
import type { FilePlanner } from './file-plan.ts'
import type { LineMaker } from './line-maker.ts'
import type { RememberedFile } from './replay.ts'
import type { Shaper } from './shaper.ts'
import type { SharedRecords } from './shared-records.ts'

/** Of a files destination where not every message goes to the file of its host, as a line of the usual form. */
export interface ChosenOptions {
  readonly records: SharedRecords
  readonly planner: FilePlanner
  readonly lines: LineMaker
  /** The planner's, where it has one. */
  readonly shaper?: Shaper | undefined
}

/** What a files destination keeps with its cursor. */
export interface FilesExtra {
  readonly files: readonly RememberedFile[]
  /** What the shaper remembers. */
  readonly shaper?: unknown
}

/** What the shaper of a files destination has saved with the cursor. */
export function savedWithFiles(attachment: Attachment): unknown {
  return (attachment.restored?.extra as FilesExtra | undefined)?.shaper
}
