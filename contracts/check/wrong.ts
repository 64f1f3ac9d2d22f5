// Bodies that must not compile: tsc reports a line below `@ts-expect-error` that has no error.

import type { ConsumedEvents, ProducedEvents } from '../typescript/events.js';

// @ts-expect-error a required field is missing
export const missing: ConsumedEvents['device.failed'] = { deviceId: 'device-001' };

// @ts-expect-error a field is misspelt
export const misspelt: ConsumedEvents['device.failed'] = { deviceId: 'device-001', reason: 'dark', version_: 1 };

// @ts-expect-error none of the values
export const value: ConsumedEvents['user.quota_exceeded']['quotaType'] = 'disk';

// @ts-expect-error no such event
export type Unknown = ConsumedEvents['device.exploded'];

// @ts-expect-error the scheduler publishes no such field
export const field = (event: ProducedEvents['device.released']): string => event.expiresAt;
