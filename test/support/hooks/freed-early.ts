// Broken on purpose: segments are freed as soon as they are read, whatever the cursor file says.

import { Attachment } from '../../../core/spool/attachment.ts'

Object.defineProperty(Attachment.prototype, 'durable', {
  get(this: Attachment) {
    return this.acknowledged
  },
})
Attachment.prototype.checkpoint = () => Promise.resolve()
