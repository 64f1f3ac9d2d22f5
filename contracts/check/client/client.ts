// Allocates and releases a device with a client whose types are generated from the OpenAPI document.
//
//   API=http://… TOKEN=… node build/check/client/client.js

import createClient from 'openapi-fetch';
import type { paths } from '../../build/api.d.ts';

const client = createClient<paths>({
  baseUrl: process.env.API ?? '',
  headers: { authorization: `Bearer ${process.env.TOKEN}`, 'accept-language': 'en' },
});

const { data: allocated, error } = await client.POST('/api/allocations', {
  body: { userId: 'user-123', durationMinutes: 30 },
});
if (!allocated || !('deviceId' in allocated)) throw new Error(`not allocated: ${JSON.stringify(error)}`);

const { data: released } = await client.DELETE('/api/allocations/{allocationId}', {
  params: { path: { allocationId: allocated.id } },
});
console.log(`${released?.status} ${released?.releaseCode}: ${released?.releaseReason}`);

const { error: refused } = await client.GET('/api/allocations/{allocationId}', {
  params: { path: { allocationId: 'unknown' } },
});
console.log(refused && 'error' in refused ? refused.error.code : refused);
