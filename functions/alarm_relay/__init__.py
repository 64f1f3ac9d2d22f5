"""Passes alarms on to a chat: Feishu, DingTalk, WeCom or Slack."""
