// The hook through which a program becomes its own fork server and workers.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_MAIN_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_MAIN_H_

namespace futures {

// Call it as the first line of main in a program that uses ProcessPoolExecutor:
//
//   int main(int argc, char** argv) {
//     futures::process_main(argc, argv);
//     ...
//
// In the program itself it notes that it was called and returns. In the processes that pools start from the same
// program it does their work and never returns. Needed for StartMethod::kForkServer, the default, and kSpawn. Law P9.
void process_main(int argc, char** argv);

}  // namespace futures

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_MAIN_H_
