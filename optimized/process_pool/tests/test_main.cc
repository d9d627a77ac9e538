// The main of a test whose calls run in other processes of itself.
#include "gtest/gtest.h"
#include "optimized/process_main.h"

int main(int argc, char** argv) {
  futures::process_main(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
