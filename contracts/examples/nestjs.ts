// Publishes events from a NestJS service with @golevelup/nestjs-rabbitmq.

import { randomUUID } from 'node:crypto';
import { AmqpConnection, RabbitMQModule } from '@golevelup/nestjs-rabbitmq';
import { Injectable, Logger, Module, type OnModuleInit } from '@nestjs/common';
import type { ConfirmChannel } from 'amqplib';
import type { ConsumedEvents, EventType } from '../typescript/events.js'; // copy events.d.ts beside this file

const EXCHANGE = 'cloudphone.events';
const SERVICE = 'my-service'; // the timeline names it as the publisher

@Injectable()
export class SchedulerEvents implements OnModuleInit {
  private readonly logger = new Logger(SchedulerEvents.name);

  constructor(private readonly amqp: AmqpConnection) {}

  /** An event without a queue is confirmed and returned: its routing key is unknown to the scheduler. */
  async onModuleInit(): Promise<void> {
    await this.amqp.managedChannel.addSetup((channel: ConfirmChannel) => {
      channel.on('return', ({ fields }) => this.logger.error(`no queue for ${fields.routingKey}`));
    });
  }

  /** Resolves when the broker has confirmed. If it rejects, publish again with the same `messageId`. */
  async publish<T extends EventType>(type: T, body: ConsumedEvents[T], messageId: string = randomUUID()): Promise<string> {
    const shardKey = 'deviceId' in body ? body.deviceId : (body as { userId: string }).userId;
    await this.amqp.publish(EXCHANGE, type, body, {
      messageId,
      appId: SERVICE,
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
      uri: process.env.AMQP_URL ?? 'amqp://localhost/cloudphone',
      // The scheduler declares the exchange; this fails if it does not exist.
      exchanges: [{ name: EXCHANGE, type: 'topic', createExchangeIfNotExists: false }],
      connectionInitOptions: { wait: true, timeout: 10_000 },
    }),
  ],
  providers: [SchedulerEvents],
  exports: [SchedulerEvents],
})
export class SchedulerEventsModule {}
