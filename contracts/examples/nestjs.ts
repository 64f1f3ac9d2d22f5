// Publishes events from a NestJS service with @golevelup/nestjs-rabbitmq.

import { randomUUID } from 'node:crypto';
import { AmqpConnection, RabbitMQModule } from '@golevelup/nestjs-rabbitmq';
import { Injectable, Module } from '@nestjs/common';
import type { ConsumedEvents, EventType } from '../typescript/events.d.ts';

const EXCHANGE = 'cloudphone.events';

@Injectable()
export class SchedulerEvents {
  constructor(private readonly amqp: AmqpConnection) {}

  /** Resolves when the broker has confirmed. Publish again with the same `messageId` if it rejects. */
  async publish<T extends EventType>(type: T, body: ConsumedEvents[T], messageId: string = randomUUID()): Promise<string> {
    const shardKey = 'deviceId' in body ? body.deviceId : (body as { userId: string }).userId;
    await this.amqp.publish(EXCHANGE, type, body, {
      messageId,
      persistent: true,
      mandatory: true,
      headers: { 'x-shard-key': shardKey },
    });
    return messageId;
  }
}

@Module({
  imports: [
    RabbitMQModule.forRoot({
      uri: process.env.AMQP_URL ?? 'amqp://localhost',
      // The scheduler declares the exchange; this fails if it does not exist.
      exchanges: [{ name: EXCHANGE, type: 'topic', createExchangeIfNotExists: false }],
      connectionInitOptions: { wait: true, timeout: 10_000 },
    }),
  ],
  providers: [SchedulerEvents],
  exports: [SchedulerEvents],
})
export class SchedulerEventsModule {}
