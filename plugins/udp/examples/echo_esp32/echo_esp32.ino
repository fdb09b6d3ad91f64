// A device on an ESP32 (Arduino core): sends samples to Lockstep and answers its clock questions.
// Record it with the options in the README of this plugin. For an Arduino with Ethernet, put
// EthernetUDP in the place of WiFiUDP, and micros() in that of ticks() with wrap_bits = 32.

#include <WiFi.h>
#include <WiFiUdp.h>

const char *SSID = "your network", *PASSWORD = "its password";
const IPAddress RECORDER(192, 168, 1, 10);
const uint16_t DATA_PORT = 5005, EXCHANGE_PORT = 5006;

WiFiUDP data, exchange;
uint32_t sequence = 0;

// The device's clock: microseconds since it was switched on, 64 bits, never set.
uint64_t ticks() { return esp_timer_get_time(); }

// The echo protocol: 16 bytes come, the same 16 bytes and two readings go back (little-endian, as
// the ESP32 is).
void answerExchange() {
  uint8_t packet[32];
  if (exchange.parsePacket() != 16) return;
  uint64_t t1 = ticks();  // first thing after it came
  exchange.read(packet, 16);
  if (memcmp(packet, "LKE1", 4) != 0) return;
  memcpy(packet + 16, &t1, 8);
  exchange.beginPacket(exchange.remoteIP(), exchange.remotePort());
  uint64_t t2 = ticks();  // last thing before it leaves
  memcpy(packet + 24, &t2, 8);
  exchange.write(packet, 32);
  exchange.endPacket();
}

// One sample: magic, u32 sequence, u64 time, two f32.
void sendSample() {
  struct __attribute__((packed)) {
    char magic[4];
    uint32_t sequence;
    uint64_t t;
    float x, y;
  } sample = {{'D', 'E', 'M', 'O'}, sequence++, ticks(), analogRead(34) * 1.0f, analogRead(35) * 1.0f};
  data.beginPacket(RECORDER, DATA_PORT);
  data.write((uint8_t *)&sample, sizeof sample);
  data.endPacket();
}

void setup() {
  WiFi.begin(SSID, PASSWORD);
  while (WiFi.status() != WL_CONNECTED) delay(100);
  WiFi.setSleep(false);  // power saving delays packets by up to 100 ms
  exchange.begin(EXCHANGE_PORT);
}

void loop() {
  static uint32_t next = micros();
  answerExchange();  // as often as possible: t1 is only as good as this loop is quick
  if ((int32_t)(micros() - next) >= 0) {
    next += 10000;  // 100 samples a second
    sendSample();
  }
}
