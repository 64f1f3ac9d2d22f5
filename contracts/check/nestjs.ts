// Publishes an event from a NestJS application, as a service would.

import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { SchedulerEvents, SchedulerEventsModule } from '../examples/nestjs.js';

const application = await NestFactory.createApplicationContext(SchedulerEventsModule, { logger: false });
const id = await application
  .get(SchedulerEvents)
  .publish('billing.overdue', { userId: 'user-123', overdueAmount: '150.50', overdueDays: 7 });
console.log(`Published billing.overdue, message id ${id}`);
await application.close();
