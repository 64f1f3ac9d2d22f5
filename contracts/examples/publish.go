// Publishes an event with amqp091-go: persistent, confirmed, mandatory.
//
//	go mod init publish && go get github.com/rabbitmq/amqp091-go
//	AMQP_URL=amqps://USER:PASSWORD@HOST:5671/cloudphone go run publish.go
//
// A service keeps its connection and channel, instead of opening them for each event.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// DeviceFailed is the body of device.failed; the others are in contracts/schemas.
type DeviceFailed struct {
	DeviceID  string    `json:"deviceId"`
	Reason    string    `json:"reason"`
	Timestamp time.Time `json:"timestamp"`
}

var (
	errNotConfirmed = errors.New("the broker did not confirm the message")
	errUnroutable   = errors.New("no queue is bound to this routing key")
)

// publish returns when the broker has confirmed. If it fails, publish again with the same messageID.
func publish(ctx context.Context, url, eventType, messageID, shardKey string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	connection, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	if err := channel.Confirm(false); err != nil {
		return err
	}
	returned := channel.NotifyReturn(make(chan amqp.Return, 1))
	confirmed := channel.NotifyPublish(make(chan amqp.Confirmation, 1))
	err = channel.PublishWithContext(ctx, "cloudphone.events", eventType, true, false, amqp.Publishing{
		MessageId:    messageID,
		AppId:        "my-service", // the timeline names it as the publisher
		DeliveryMode: amqp.Persistent,
		ContentType:  "application/json",
		Headers:      amqp.Table{"x-shard-key": shardKey},
		Body:         raw,
	})
	if err != nil {
		return err
	}
	select {
	case confirm, open := <-confirmed: // closed with the connection
		if !open || !confirm.Ack {
			return errNotConfirmed
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-returned: // a message without a queue is returned before its confirm
		return errUnroutable
	default:
		return nil
	}
}

func main() {
	url := os.Getenv("AMQP_URL")
	if url == "" {
		url = "amqp://localhost/cloudphone"
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		log.Fatal(err)
	}
	messageID := hex.EncodeToString(id) // one per event
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	event := DeviceFailed{DeviceID: "device-001", Reason: "Screen is dark", Timestamp: time.Now().UTC()}
	if err := publish(ctx, url, "device.failed", messageID, event.DeviceID, event); err != nil {
		log.Fatal(err)
	}
	fmt.Println("Published device.failed, message id", messageID)
}
