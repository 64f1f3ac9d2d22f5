// Publishes an event with amqplib: persistent, confirmed, mandatory.
//
//   npm install amqplib && npm install --save-dev @types/amqplib @types/node
//   AMQP_URL=amqps://USER:PASSWORD@HOST:5671/cloudphone node amqplib.js
//
// A service keeps its connection and channel, instead of opening them for each event.

import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import type { ConsumedEvents, EventType } from '../typescript/events.js'; // copy events.d.ts beside this file

/** Resolves when the broker has confirmed. If it rejects, publish again with the same `messageId`. */
export async function publish<T extends EventType>(
  url: string,
  type: T,
  body: ConsumedEvents[T],
  messageId: string = randomUUID(), // one per event
): Promise<string> {
  const connection = await connect(url);
  try {
    const channel = await connection.createConfirmChannel();
    let returned = false;
    channel.on('return', () => {
      returned = true; // before its confirm: no queue is bound to this routing key
    });
    const shardKey = 'deviceId' in body ? body.deviceId : (body as { userId: string }).userId;
    channel.publish('cloudphone.events', type, Buffer.from(JSON.stringify(body)), {
      messageId,
      appId: 'my-service', // the timeline names it as the publisher
      persistent: true,
      mandatory: true,
      contentType: 'application/json',
      headers: { 'x-shard-key': shardKey },
    });
    await channel.waitForConfirms();
    if (returned) throw new Error(`no queue for ${type}`);
    return messageId;
  } finally {
    await connection.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  const id = await publish(process.env.AMQP_URL ?? 'amqp://localhost/cloudphone', 'device.failed', {
    deviceId: 'device-001',
    reason: 'Screen is dark',
    timestamp: new Date().toISOString(),
  });
  console.log(`Published device.failed, message id ${id}`);
}
