// A NestJS program that publishes one event, for those who have no service at hand.
//
//   AMQP_URL=amqps://USER:PASSWORD@HOST:5671/cloudphone node nestjs-main.js

import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SchedulerEvents, SchedulerEventsModule } from './nestjs.js';

@Injectable()
class Billing {
  constructor(private readonly events: SchedulerEvents) {}

  reportOverdue(userId: string): Promise<string> {
    return this.events.publish('billing.overdue', { userId, overdueAmount: '150.50', overdueDays: 7 });
  }
}

@Module({ imports: [SchedulerEventsModule], providers: [Billing] })
class AppModule {}

async function bootstrap(): Promise<void> {
  const application = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  const id = await application.get(Billing).reportOverdue('user-123');
  console.log(`Published billing.overdue, message id ${id}`);
  await application.close();
}

void bootstrap();
